/** For tests: a server in place of `fetch`, which answers by the first words of a call and remembers all calls. */

export interface Call {
  line: string;
  json: unknown;
}

type Answer = (call: Call, signal: AbortSignal | undefined) => Response | Promise<Response>;

export function fakeServer(answers: Record<string, Answer>) {
  const calls: Call[] = [];
  globalThis.document = { cookie: "" } as Document;
  globalThis.fetch = async (path, init) => {
    const call = { line: `${init?.method ?? "GET"} ${String(path)}`, json: typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : null };
    calls.push(call);
    const found = Object.entries(answers).find(([start]) => call.line.startsWith(start));
    if (!found) throw new Error(`nobody answers ${call.line}`);
    return found[1](call, init?.signal ?? undefined);
  };
  return { calls, lines: () => calls.map((call) => call.line) };
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers });
}

/** A stream of events; it ends, breaks, or stays open until aborted. */
export function events(list: object[], then: "end" | "break" | "wait" = "end", signal?: AbortSignal): Response {
  const encoder = new TextEncoder();
  let told = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (!told) {
        told = true;
        for (const event of list) controller.enqueue(encoder.encode(`data: ${JSON.stringify(event)}\n\n`));
        if (list.length > 0) return undefined;
      }
      if (then === "end") controller.close();
      else if (then === "break") controller.error(new TypeError("network error"));
      else return new Promise<void>((done) => signal?.addEventListener("abort", () => { controller.error(new DOMException("aborted", "AbortError")); done(); }));
      return undefined;
    },
  });
  return new Response(body);
}

/** The events of a response that writes `words`, numbered from 0. */
export function told(id: string, words: string[], status = "completed"): object[] {
  const response = { id, status: "in_progress", model: "m", output: [] };
  const itemId = `msg_${id}`;
  const list: object[] = [
    { type: "response.created", response },
    { type: "response.output_item.added", item: { id: itemId, type: "message" } },
    ...words.map((delta) => ({ type: "response.output_text.delta", delta })),
    { type: `response.${status}`, response: { ...response, status } },
  ];
  return list.map((event, number) => ({ ...event, sequence_number: number }));
}
