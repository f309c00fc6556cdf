"""A person's dotfiles in the container: cloned once, then their own install script, else links into the home.

The script is POSIX sh and needs `git` inside. Cloning again over a clone that is there is not an error: it is used.
"""

from __future__ import annotations

import dataclasses
import re

from devcontainer.lifecycle import LifecycleCommand, Step

MARKER = ".dotfilesMarker"
"""Beside the other markers; content as for those of creation."""

_OWNER_AND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+\Z", re.ASCII)

# $1 repository, $2 target, $3 install command or empty. The names are those that the reference tries, in its order.
_SCRIPT = r"""
set -e
target=$2
case $target in '~') target=$HOME ;; '~/'*) target=$HOME/${target#'~/'} ;; esac
if [ ! -e "$target/.git" ]; then
  command -v git >/dev/null 2>&1 || { echo 'dotfiles: the image has no git to clone them with' >&2; exit 127; }
  mkdir -p "$(dirname "$target")"
  git clone --depth 1 -- "$1" "$target"
fi
cd "$target"
if [ -n "$3" ]; then
  if [ -f "./$3" ]; then [ -x "./$3" ] || chmod +x "./$3"; exec "./$3"; fi
  exec /bin/sh -c "$3"
fi
for script in install.sh install bootstrap.sh bootstrap script/bootstrap setup.sh setup script/setup; do
  if [ -f "./$script" ]; then [ -x "./$script" ] || chmod +x "./$script"; exec "./$script"; fi
done
for file in .[!.]* ..?*; do
  case $file in .git|.gitignore|.gitattributes|.gitmodules|.github) continue ;; esac
  [ -e "$file" ] || continue
  ln -sfn "$target/$file" "$HOME/$file"
done
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Dotfiles:
    repository: str
    target: str = "~/dotfiles"
    install: str = ""

    @property
    def command(self) -> LifecycleCommand:
        words = ("/bin/sh", "-c", _SCRIPT, "dotfiles", address(self.repository), self.target, self.install)
        return LifecycleCommand((Step("", words, f"dotfiles of {self.repository}"),))


def address(repository: str) -> str:
    """`owner/name` means GitHub; everything else is git's to understand."""
    return f"https://github.com/{repository}.git" if _OWNER_AND_NAME.match(repository) else repository
