"""The words of each command; one `PresentedRun` for each."""
