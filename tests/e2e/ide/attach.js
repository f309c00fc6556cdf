// Microsoft's own client for debug adapters does what launch.json says. Prints what it saw as JSON.
// node - LAUNCH_JSON WORKSPACE SOURCE LINE EXPRESSION
const { readFileSync } = require("fs");
const { DebugClient } = require("@vscode/debugadapter-testsupport");

async function main([file, workspace, source, line, expression]) {
  const text = readFileSync(file, "utf8").replaceAll("${workspaceFolder}", workspace);
  const entry = JSON.parse(text).configurations.find((item) => item.request === "attach");
  const client = new DebugClient("node", "", entry.type);
  client.defaultTimeout = 30000;
  await client.start(entry.connect.port);

  const stopped = client.waitForEvent("stopped");
  const terminated = client.waitForEvent("terminated");
  const initialized = client.waitForEvent("initialized");
  await client.initializeRequest({
    adapterID: entry.type, clientID: "vscode", linesStartAt1: true, columnsStartAt1: true, pathFormat: "path",
  });
  const attach = client.attachRequest(entry);
  await initialized;
  const placed = await client.setBreakpointsRequest({ source: { path: source }, breakpoints: [{ line: Number(line) }] });
  await client.configurationDoneRequest();
  await attach;

  const threadId = (await stopped).body.threadId;
  const top = async () => (await client.stackTraceRequest({ threadId })).body.stackFrames[0];
  const frame = await top();
  const scopes = (await client.scopesRequest({ frameId: frame.id })).body.scopes;
  const { variablesReference } = scopes.find((scope) => scope.name === "Locals");
  const variables = (await client.variablesRequest({ variablesReference })).body.variables;
  const value = await client.evaluateRequest({ expression, frameId: frame.id, context: "watch" });

  const stepped = client.waitForEvent("stopped");
  await client.nextRequest({ threadId });
  await stepped;
  const next = (await top()).line;

  await client.setBreakpointsRequest({ source: { path: source }, breakpoints: [] });
  await client.continueRequest({ threadId });
  await terminated;
  console.log(JSON.stringify({
    verified: placed.body.breakpoints[0].verified,
    at: [frame.source.path, frame.line],
    locals: Object.fromEntries(variables.map((item) => [item.name, item.value])),
    evaluated: value.body.result,
    next,
  }));
  process.exit(0);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
