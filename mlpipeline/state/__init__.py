"""What lies on disk: configuration, history, run folders, reports."""
