"""Agreement between several exchanges: one incremental judge, and its model of each interaction."""
