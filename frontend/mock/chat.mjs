/** What the stand-in keeps of conversations and answers: written on when nobody listens, as the service does. */
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const newId = (prefix) => `${prefix}_${Math.random().toString(16).slice(2, 14)}`;
const conversations = new Map();
const responses = new Map();

const list = (rows) => ({ object: "list", data: rows, first_id: rows[0]?.id ?? null, last_id: rows.at(-1)?.id ?? null, has_more: false });
const item = (role, text, response_id, status = "completed") => ({ id: newId("msg"), type: "message", role, status, response_id, content: [{ type: role === "user" ? "input_text" : "output_text", text }] });
const textOf = (input) => (typeof input === "string" ? input : input[0].content[0].text);
const runningIn = (conversation) => [...responses.values()].find((one) => one.conversation === conversation && one.body.status === "in_progress");

function wire({ id, metadata, items, created_at, updated_at }) {
  const first = items.find((one) => one.role === "user")?.content[0].text ?? "";
  return { id, object: "conversation", created_at, updated_at, metadata, title: metadata.title ?? first.slice(0, 80), response_in_progress: runningIn(id)?.body.id ?? null };
}

function answerTo(asked) {
  if (asked.includes("linhas")) return "Uma linha\noutra linha\n\n**fim**";
  return `Você disse: ${asked}\n\nUm círculo é redondo. ${"Um quadrado tem quatro lados. ".repeat(asked.includes("longo") ? 60 : 2)}`;
}

async function write(response, asked) {
  const tell = (event) => response.events.push({ ...event, sequence_number: response.events.length });
  const whole = (type) => tell({ type, response: { ...response.body } });
  whole("response.created");
  await wait(asked.includes("devagar") ? 3000 : 400);
  const said = item("assistant", "", response.body.id);
  tell({ type: "response.output_item.added", item: { ...said, content: [] } });
  const words = answerTo(asked).split(/(?<= )/);
  for (const delta of words) {
    if (response.cancelled) break;
    said.content[0].text += delta;
    tell({ type: "response.output_text.delta", delta });
    await wait(25);
  }
  said.status = response.cancelled ? "incomplete" : "completed";
  Object.assign(response.body, { status: response.cancelled ? "cancelled" : "completed", usage: { output_tokens: words.length }, timing: { run_ms: 25 * words.length } });
  if (said.content[0].text) conversations.get(response.conversation)?.items.push(said);
  whole(response.cancelled ? "response.incomplete" : "response.completed");
}

function begin(body) {
  const response = { conversation: body.conversation, events: [], cancelled: false, body: { id: newId("resp"), object: "response", status: "in_progress", model: body.model, output: [] } };
  responses.set(response.body.id, response);
  const conversation = conversations.get(body.conversation);
  conversation.items.push(item("user", textOf(body.input), response.body.id));
  conversation.updated_at = Math.floor(Date.now() / 1000);
  void write(response, textOf(body.input));
  return response;
}

async function tell(res, response, after) {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  for (let at = after + 1; !res.destroyed; at++) {
    while (at >= response.events.length) {
      if (response.body.status !== "in_progress") return res.end();
      await wait(20);
    }
    const event = response.events[at];
    res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
}

export function chatRoutes(json, fail) {
  const gone = (res) => fail(res, 404, "not_found", "There is no such thing.");
  const withOne = (kept, act) => (body, res, [, id, more], query) => (kept.has(id) ? act(kept.get(id), res, body, more, query) : gone(res));
  const conversation = (act) => withOne(conversations, act);
  const response = (act) => withOne(responses, act);
  const now = () => Math.floor(Date.now() / 1000);
  return [
    ["GET /v1/conversations", (_, res) => json(res, list([...conversations.values()].sort((a, b) => b.updated_at - a.updated_at).map(wire)))],
    ["POST /v1/conversations", (body, res) => {
      const made = { id: newId("conv"), metadata: body.metadata ?? {}, items: (body.items ?? []).map((one) => item(one.role, one.content, null)), created_at: now(), updated_at: now() };
      conversations.set(made.id, made);
      json(res, wire(made));
    }],
    ["GET /v1/conversations/([^/]+)", conversation((one, res) => json(res, wire(one)))],
    ["POST /v1/conversations/([^/]+)", conversation((one, res, body) => { one.metadata = body.metadata; json(res, wire(one)); })],
    ["DELETE /v1/conversations/([^/]+)", conversation((one, res) => { conversations.delete(one.id); json(res, { id: one.id, deleted: true }); })],
    ["GET /v1/conversations/([^/]+)/items", conversation((one, res) => json(res, list(one.items.toReversed())))],
    ["POST /v1/conversations/([^/]+)/items", conversation((one, res, body) => { one.items.push(...body.items.map((more) => item(more.role, more.content, null))); json(res, list(one.items)); })],
    ["DELETE /v1/conversations/([^/]+)/items/([^/]+)", conversation((one, res, _, id) => { one.items = one.items.filter((other) => other.id !== id); json(res, wire(one)); })],
    ["POST /v1/responses", (body, res) => {
      if (!conversations.has(body.conversation)) return gone(res);
      if (runningIn(body.conversation)) return fail(res, 409, "conversation_locked", "An answer is being written in this conversation.");
      return tell(res, begin(body), -1);
    }],
    ["GET /v1/responses/([^/]+)", response((one, res, _, __, query) => (query.get("stream") ? tell(res, one, Number(query.get("starting_after") ?? -1)) : json(res, one.body)))],
    ["POST /v1/responses/([^/]+)/cancel", response((one, res) => { one.cancelled = true; json(res, one.body); })],
  ];
}
