import { describe, expect, it } from "vitest";
import { ApiError, asApiError } from "./errors";
import { askedAgain, errorOf, presenceOf } from "./lists";

const here = { isPending: false, isError: false, missing: [] as string[] };
const seen = (data: { data?: string[]; missing?: string[] } | undefined, dataUpdateCount = 1) => ({ status: "success" as const, data, dataUpdateCount, error: null, errorUpdateCount: 0 });
const failed = (error: unknown, errorUpdateCount = 1) => ({ status: "error" as const, data: undefined, dataUpdateCount: 0, error, errorUpdateCount });
const until = (all: string[]) => all.length > 0;

describe("a list", () => {
  it("that did not come yet, or failed, is not one without entries", () => {
    expect(presenceOf({ ...here, isPending: true }, 0)).toBe("loading");
    expect(presenceOf({ ...here, isError: true }, 0)).toBe("failed");
    expect(presenceOf(here, 0)).toBe("none");
    expect(presenceOf(here, 2)).toBe("there");
  });

  it("that came before is still shown while asking again fails", () => {
    expect(presenceOf({ ...here, isError: true }, 2)).toBe("there");
  });

  it("of many services lacks those entries only whose service told nothing", () => {
    const list = { ...here, missing: ["image-gen"] };
    expect([presenceOf(list, 0, "image-gen"), presenceOf(list, 0, "chat"), presenceOf(list, 0)]).toEqual(["failed", "none", "none"]);
    expect(asApiError(errorOf({ error: null }, "image-gen"))).toMatchObject({ code: "service_unavailable", service: "images" });
  });

  it("is asked for again by itself until it is whole, ever more seldom", () => {
    expect([1, 2, 100].map((count) => askedAgain(failed(new ApiError("", "offline", 0), count), {}))).toEqual([5000, 10_000, 15_000]);
    expect([1, 2, 100].map((count) => askedAgain(seen({ data: ["a"], missing: ["tts"] }, count), {}))).toEqual([1500, 3000, 15_000]);
    expect(askedAgain(seen({ data: ["a"], missing: [] }), {})).toBe(false);
    expect([1, 2, 100].map((count) => askedAgain(seen({ missing: ["tts"] }, count), { until }))).toEqual([1500, 3000, 15_000]);
    expect([1, 100].map((count) => askedAgain(seen({}, count), { until }))).toEqual([1500, 15_000]);
    expect(askedAgain(seen({ data: [] }), { intervalMs: 2000 })).toBe(2000);
  });

  it("that was refused is not asked for again by itself; one that broke is", () => {
    const after = (status: number, lasting?: boolean) => askedAgain(failed(new ApiError("", "x", status, "chat", null, null, lasting)), { intervalMs: 2000 });
    expect([403, 404].map((status) => after(status))).toEqual([false, false]);
    expect([500, 503].map((status) => after(status, true))).toEqual([false, false]);
    expect([429, 500, 503].map((status) => after(status))).toEqual([2000, 2000, 2000]);
  });
});
