import { afterEach, describe, expect, it, vi } from "vitest";
import { keepAll, shelfOf, type Shelf } from "./keeping";
import type { FileProgress } from "./wire";

const FILES = [{ name: "config.json", size: 2 }, { name: "onnx/model.onnx", size: 4 }];
const CONTENT: Record<string, string> = { "/models/m/config.json": "{}", "/models/m/onnx/model.onnx": "abcd" };

function served(answer: (address: string) => Response = (address) => new Response(CONTENT[address])) {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (address: string) => { asked.push(address); return answer(address); });
  return asked;
}

const keeping = async (shelf: Shelf, told: FileProgress[] = []) => keepAll(shelf, "/models/m/", FILES, (file) => told.push(file));

afterEach(() => vi.unstubAllGlobals());

describe("keeping a model's files", () => {
  it("fetches each once and never again", async () => {
    const asked = served();
    const shelf = await shelfOf("test"); // Node has no Cache API: this is the one for insecure addresses
    await keeping(shelf);
    await keeping(shelf);
    expect(asked).toEqual(Object.keys(CONTENT));
    expect(await (await shelf.match("/models/m/onnx/model.onnx"))!.text()).toBe("abcd");
  });

  it("tells how far each file is", async () => {
    served();
    const told: FileProgress[] = [];
    const shelf = await shelfOf("test");
    await keeping(shelf, told);
    expect(told.slice(0, 2).map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    expect(told.at(-1)).toEqual({ name: "onnx/model.onnx", loaded: 4, total: 4, state: "kept" });
    const again: FileProgress[] = [];
    await keeping(shelf, again);
    expect(again.at(-1)).toMatchObject({ state: "kept", cached: true });
  });

  it("goes on after a failure with what is missing", async () => {
    let broken = true;
    const asked = served((address) => (broken && address.endsWith("onnx") ? new Response("", { status: 503 }) : new Response(CONTENT[address])));
    const shelf = await shelfOf("test");
    await expect(keeping(shelf)).rejects.toMatchObject({ code: "browser_file_missing" });
    broken = false;
    await keeping(shelf);
    expect(asked.filter((address) => address.endsWith("config.json"))).toHaveLength(1);
  });

  it("keeps no file of another length than promised", async () => {
    served((address) => new Response(address.endsWith("onnx") ? "abc" : "{}"));
    const shelf = await shelfOf("test");
    await expect(keeping(shelf)).rejects.toMatchObject({ code: "browser_file_wrong" });
    expect(await shelf.match("/models/m/onnx/model.onnx")).toBeUndefined();
  });

  it.each([[401, "unauthorized"], [404, "browser_file_missing"]])("tells a status %i as %s", async (status, code) => {
    served(() => new Response("", { status }));
    await expect(keeping(await shelfOf("test"))).rejects.toMatchObject({ code });
  });

  it("tells a network that is away", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed to fetch")));
    await expect(keeping(await shelfOf("test"))).rejects.toMatchObject({ code: "offline" });
  });

  it("tells a storage that is full", async () => {
    served();
    const full: Shelf = { match: async () => undefined, put: () => Promise.reject(new DOMException("full", "QuotaExceededError")) };
    await expect(keeping(full)).rejects.toMatchObject({ code: "browser_no_space" });
  });
});
