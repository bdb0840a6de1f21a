"""Apply trained models to videos."""
