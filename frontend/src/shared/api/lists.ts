/**
 * Owns asking for a list, so that one that is not here yet, or not whole, is never taken for one that is empty:
 * it is asked for again until it is, and what shows it can tell the four cases apart.
 */
import { useQuery } from "@tanstack/react-query";
import { api } from "./client";
import { ApiError, asApiError } from "./errors";

/** A list as the gateway tells it; `missing` names the services of which nothing could be learnt. */
export interface Told<T> {
  data?: T[];
  missing?: string[];
}

export interface Listing<T> {
  data: T[] | undefined;
  missing: string[];
  error: Error | null;
  isPending: boolean;
  isError: boolean;
  isSuccess: boolean;
  refetch: () => Promise<unknown>;
}

interface Options<T> {
  enabled?: boolean;
  intervalMs?: number;
  /** Asked for again until this holds: services that start have none to tell yet. */
  until?: (entries: T[]) => boolean;
}

const SOON_MS = 1500;
const AFTER_ERROR_MS = 5000;
const LATEST_MS = 15_000;

interface Seen<T> {
  status: "pending" | "error" | "success";
  data: Told<T> | undefined;
  error: unknown;
  /** How often an answer came. */
  dataUpdateCount: number;
  /** How often none came. */
  errorUpdateCount: number;
}

/**
 * After how many milliseconds a list is asked for again by itself; false: not, as a refusal stays one.
 * A service that stays away is asked ever more seldom.
 */
export function askedAgain<T>({ status, data, error, dataUpdateCount, errorUpdateCount }: Seen<T>, { intervalMs, until }: Options<T>): number | false {
  const seldom = (firstMs: number, count: number) => Math.min(firstMs * count, LATEST_MS, intervalMs ?? LATEST_MS);
  if (status === "error") return mayPass(error) && seldom(AFTER_ERROR_MS, errorUpdateCount);
  const whole = !data?.missing?.length && (!data || !until || until(data.data ?? []));
  return whole ? (intervalMs ?? false) : seldom(SOON_MS, dataUpdateCount);
}

function mayPass(error: unknown): boolean {
  const { transient, lasting, status } = asApiError(error);
  return transient || (status === 500 && !lasting);
}

export function useList<T>(key: string, path: string, options: Options<T> = {}): Listing<T> {
  const query = useQuery<Told<T>>({
    queryKey: [key], queryFn: () => api<Told<T>>(path), enabled: options.enabled ?? true,
    refetchInterval: ({ state }) => askedAgain(state, options),
  });
  const { data, error, isPending, isError, isSuccess, refetch } = query;
  return { data: data && (data.data ?? []), missing: data?.missing ?? [], error, isPending, isError, isSuccess, refetch };
}

export type Presence = "there" | "loading" | "failed" | "none";

/** How a list, or the part of it that `service` tells, stands. `count`: entries of that part. */
export function presenceOf(list: Pick<Listing<unknown>, "isPending" | "isError"> & { missing?: string[] }, count: number, service?: string): Presence {
  if (count > 0) return "there";
  if (list.isError) return "failed";
  if (list.isPending) return "loading";
  return service !== undefined && list.missing?.includes(service) ? "failed" : "none";
}

/** Names of the page's services by those of the gateway. */
const SERVICES: Record<string, string> = {
  chat: "chat", "image-gen": "images", vision: "vision", translate: "translate", tts: "speech", rag: "documents",
};

/** Why a part of a list failed: the call's own error, or that its service told nothing. */
export function errorOf(list: Pick<Listing<unknown>, "error">, service?: string): unknown {
  return list.error ?? new ApiError("", "service_unavailable", 503, SERVICES[service ?? ""] ?? "gateway");
}
