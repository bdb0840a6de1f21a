"""Start of tools and Runners: command line, configs, checkpoints, hooks, paths; independent of the steps."""
