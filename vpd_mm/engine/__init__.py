"""What runs the steps: command line, hooks, the Runner."""
