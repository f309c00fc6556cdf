-- Neovim as a person has it who trusts the project: `exrc` is set, and a plugin answers to `require("dap")`.
local buffer = vim.fn.bufadd(".nvim.lua")
vim.fn.bufload(buffer)
vim.secure.trust({ action = "allow", bufnr = buffer })
vim.api.nvim_buf_delete(buffer, {})
vim.o.exrc = true
