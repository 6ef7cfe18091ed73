"""What a shell is told when TAB is pressed: found out once, kept, and read in milliseconds."""
