"""Neovim: nvim-dap is told of the debugger by the project's `.nvim.lua`, with no other plugin.

Neovim reads that file where `exrc` is set, and asks before it trusts a new content of it. The addresses stand between
two marks and are ours; the code around them is written once and the person's to change.
"""

from __future__ import annotations

import json

from devenv.ide.edit import Editor, FileEdit, Merged
from devenv.ide.facts import HOST, NAME, Facts
from devenv.ide.merge import block

FILE = ".nvim.lua"
_BEGIN = f"-- {NAME}: kept up to date from here"
_END = f"-- {NAME}: to here"

_CODE = """\
do
  local root = vim.fs.dirname(vim.fs.find(".nvim.lua", {{ upward = true }})[1] or vim.fn.getcwd() .. "/.nvim.lua")
  {begin}
{addresses}  {end}
  local found, dap = pcall(require, "dap")
  if found then
    dap.adapters.devenv = function(callback, config)
      local options = {{ source_filetype = "python" }}
      callback({{ type = "server", host = config.connect.host, port = config.connect.port, options = options }})
    end
    local configurations = {{}}
    for _, address in ipairs(addresses) do
      table.insert(configurations, {{
        type = "devenv",
        request = "attach",
        name = address.name,
        connect = {{ host = "{host}", port = address.port }},
        pathMappings = {{ {{ localRoot = root, remoteRoot = remote_root }} }},
        justMyCode = {just_my_code},
      }})
    end
    if dap.providers and dap.providers.configs then
      dap.providers.configs.devenv = function(buffer)
        return vim.bo[buffer].filetype == "python" and configurations or {{}}
      end
    else -- nvim-dap before 0.8
      dap.configurations.python = vim.list_extend(dap.configurations.python or {{}}, configurations)
    end
  end
end
"""


def text_of(value: str) -> str:
    """A quoted string as Lua, TOML, Emacs Lisp and JSON all read it."""
    return json.dumps(value, ensure_ascii=False)


def _addresses(facts: Facts) -> str:
    lines = [f"    {{ name = {text_of(address.title)}, port = {address.port} }},\n" for address in facts.addresses]
    return f"  local remote_root = {text_of(facts.remote_root)}\n  local addresses = {{\n{''.join(lines)}  }}\n"


def show(facts: Facts) -> str:
    return _CODE.format(
        begin=_BEGIN,
        end=_END,
        addresses=_addresses(facts),
        host=HOST,
        just_my_code="true" if facts.just_my_code else "false",
    )


def merge(text: str | None, facts: Facts, add: bool) -> Merged:
    """Our code is put first: a Lua file may end with a `return`, after which nothing may follow."""
    text = text or ""
    span = block.find(text, _BEGIN, _END)
    if span is not None:
        return Merged(block.replace(text, span, _addresses(facts)), ours=True)
    if not add:
        return Merged(text, ours=False)
    first = text.find("\n") + 1 if text.startswith("#!") else 0
    gap = "\n" if text[first:].strip() else ""
    return Merged(text[:first] + block.as_in(text, show(facts) + gap) + text[first:], ours=False)


EDITOR = Editor(
    "neovim",
    "Neovim (nvim-dap)",
    (FileEdit("neovim", FILE, merge),),
    f'`:set exrc` in your own configuration, then `:DapContinue` in a Python file and "{NAME}"',
    show,
)
