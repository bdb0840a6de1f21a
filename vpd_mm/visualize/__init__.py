"""Draw images, plots, videos and HTML reports."""
