-- Stands for nvim-dap, which no package archive has: the same tables, filled by a project, and what that plugin does
-- with them, from a real Neovim. `run` stops at one breakpoint and prints what is there as JSON.
local dap = { adapters = {}, configurations = {}, providers = { configs = {} } }

local function configuration(name)
  local found = vim.deepcopy(dap.configurations[vim.bo.filetype] or {})
  for _, provider in pairs(dap.providers.configs) do
    vim.list_extend(found, provider(vim.api.nvim_get_current_buf()))
  end
  for _, config in ipairs(found) do
    if config.name == name then return config end
  end
  error("no configuration is called " .. name .. ": " .. vim.inspect(found))
end

function dap.run(name, line, expression)
  local config = configuration(name)
  local socket, data, sequence, waiting, events = vim.uv.new_tcp(), "", 0, {}, {}

  local function request(command, arguments)
    sequence = sequence + 1
    local body = vim.json.encode({ seq = sequence, type = "request", command = command, arguments = arguments })
    socket:write(("Content-Length: %d\r\n\r\n%s"):format(#body, body))
    return sequence
  end
  local function await(what, ready)
    assert(vim.wait(30000, ready, 10), "waited in vain for " .. what)
  end
  local function answer(number)
    await("answer " .. number, function() return waiting[number] end)
    assert(waiting[number].success, vim.inspect(waiting[number]))
    return waiting[number].body
  end
  local function event(kind)
    await(kind, function() return events[kind] end)
    return events[kind]
  end
  local function read(_, chunk)
    data = data .. (chunk or "")
    while true do
      local head, length = data:match("^(.-Content%-Length: (%d+).-\r\n\r\n)")
      if not head or #data < #head + length then return end
      local message = vim.json.decode(data:sub(#head + 1, #head + length))
      data = data:sub(#head + length + 1)
      if message.type == "event" then events[message.event] = message.body or {} end
      if message.type == "response" then waiting[message.request_seq] = message end
    end
  end

  local adapter
  dap.adapters[config.type](function(given) adapter = given end, config)
  assert(adapter.type == "server", vim.inspect(adapter))
  local connected
  socket:connect(adapter.host, adapter.port, function(problem) connected = problem or true end)
  await("the connection", function() return connected end)
  assert(connected == true, connected)
  socket:read_start(vim.schedule_wrap(read))

  answer(request("initialize", { adapterID = "nvim-dap", pathFormat = "path", linesStartAt1 = true }))
  local attach = request(config.request, config)
  event("initialized")
  local path = vim.api.nvim_buf_get_name(0)
  local placed = answer(request("setBreakpoints", { source = { path = path }, breakpoints = { { line = line } } }))
  answer(request("configurationDone", vim.empty_dict()))
  answer(attach)
  local thread = event("stopped").threadId
  local frame = answer(request("stackTrace", { threadId = thread })).stackFrames[1]
  local value = answer(request("evaluate", { expression = expression, frameId = frame.id, context = "repl" })).result
  answer(request("setBreakpoints", { source = { path = path }, breakpoints = {} }))
  request("continue", { threadId = thread })
  event("terminated")
  print(vim.json.encode({
    verified = placed.breakpoints[1].verified, at = { frame.source.path, frame.line }, evaluated = value,
  }))
end

return dap
