#!/usr/bin/env python3
"""Print the script with which a shell completes tools, options and files of vpd-mm.

tools/completion.py bash > ~/.local/share/bash-completion/completions/vpd-mm
tools/completion.py zsh > ~/.zfunc/_vpd-mm
tools/completion.py fish > ~/.config/fish/completions/vpd-mm.fish

Create the folder first.  For zsh, ~/.zshrc needs 'fpath+=~/.zfunc' before 'compinit'.  Where bash has no package
bash-completion, let ~/.bashrc source the file.  The script holds the options of this version: print it again after an
update.
"""

from vpd_mm.engine.cli import ToolParser, run_tool
from vpd_mm.engine.completion import SHELLS, completion_script


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('shell', choices=SHELLS, help='the shell')
    args = parser.parse_args(argv)
    print(completion_script(args.shell))


if __name__ == '__main__':
    run_tool(main)
