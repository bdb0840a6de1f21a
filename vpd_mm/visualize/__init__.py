"""Draw images and plots, write videos, render HTML reports.

No other module draws, encodes video or renders HTML; the callers pass frames and numbers in.
"""
