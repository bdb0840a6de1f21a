"""The demonstration in its former form; to be replaced by tools/demo.py."""
