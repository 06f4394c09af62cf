/** Owns the conversations as the server keeps them: the list, one with its items, and changes to them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import type { List } from "@/shared/api/types";
import type { Conversation, Item, ResponseBody } from "./wire";

export interface Opened {
  conversation: Conversation;
  items: Item[];
}

type Rows<T> = List<T> & { has_more: boolean; last_id: string | null };

const LIST = ["conversations"];
const keyOf = (id: string) => ["conversation", id];
const pathOf = (id: string) => `/v1/conversations/${encodeURIComponent(id)}`;
const LIST_MS = 20_000;
const BUSY_LIST_MS = 3_000;
const LOOK_MS = 10_000;
const PAGE = 100;

/** Newest first; what other devices do is seen within seconds. */
export function useConversationList(active: boolean) {
  return useInfiniteQuery({
    queryKey: LIST,
    queryFn: ({ pageParam }) => api<Rows<Conversation>>(`/v1/conversations?limit=50${pageParam ? `&after=${pageParam}` : ""}`),
    initialPageParam: "",
    getNextPageParam: (page) => (page.has_more ? page.last_id : null),
    refetchInterval: ({ state }) => {
      const busy = state.data?.pages.some((page) => page.data.some((one) => one.response_in_progress !== null));
      return active ? (busy ? BUSY_LIST_MS : LIST_MS) : false;
    },
  });
}

export function useConversation(id: string | null, active: boolean) {
  const queries = useQueryClient();
  return useQuery({
    queryKey: keyOf(id ?? ""),
    enabled: id !== null,
    staleTime: 0,
    refetchInterval: active ? LOOK_MS : false,
    queryFn: () => open(id!, queries.getQueryData<Opened>(keyOf(id!))?.items ?? []),
  });
}

/** The conversation is read before its items: an answer that ends in between is then seen twice rather than never. */
async function open(id: string, known: Item[]): Promise<Opened> {
  const conversation = await api<Conversation>(pathOf(id));
  return { conversation, items: await itemsOf(id, known) };
}

/** Read items from the newest back to what is known: a long conversation is not read anew with every answer. */
export async function itemsOf(id: string, known: Item[]): Promise<Item[]> {
  let found: Item[] = [];
  for (let after = ""; ;) {
    const page = await api<Rows<Item>>(`${pathOf(id)}/items?order=desc&limit=${PAGE}${after && `&after=${after}`}`);
    found = [...page.data.toReversed(), ...found];
    const overlap = known.findIndex((item) => item.id === found[0]?.id);
    if (!page.has_more || !page.last_id) return found;
    if (overlap >= 0) return [...known.slice(0, overlap), ...found];
    after = page.last_id;
  }
}

/** How an answer was made and why it ended; an answer that has ended does not change. */
export function useResponse(id: string | null) {
  return useQuery({
    queryKey: ["response", id],
    enabled: id !== null,
    staleTime: Infinity,
    refetchInterval: ({ state }) => (state.data?.status === "in_progress" || state.data?.status === "queued" ? LOOK_MS / 10 : false),
    retry: false,
    queryFn: () => api<ResponseBody>(`/v1/responses/${encodeURIComponent(id!)}`),
  });
}

export function rememberMade(queries: QueryClient, conversation: Conversation): void {
  queries.setQueryData<Opened>(keyOf(conversation.id), { conversation, items: [] });
}

/** The items as they were last seen. */
export function itemsNow(queries: QueryClient, id: string | null): Item[] {
  return (id !== null && queries.getQueryData<Opened>(keyOf(id))?.items) || [];
}

/** Look again at a conversation and at the list; false when the server could not be asked. */
export async function lookAgain(queries: QueryClient, id: string): Promise<boolean> {
  void queries.invalidateQueries({ queryKey: LIST });
  await queries.invalidateQueries({ queryKey: keyOf(id) });
  return queries.getQueryState(keyOf(id))?.status !== "error";
}

export function useConversationChanges(onDone: (id: string) => void) {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: ({ conversation, part }: { conversation: Conversation; part: Record<string, string | null> }) => {
      const metadata = Object.fromEntries(Object.entries({ ...conversation.metadata, ...part }).filter(([, value]) => value));
      return api<Conversation>(pathOf(conversation.id), { method: "POST", json: { metadata } });
    },
    onSuccess: async (conversation) => {
      queries.setQueryData<Opened>(keyOf(conversation.id), (before) => before && { ...before, conversation });
      await queries.invalidateQueries({ queryKey: LIST });
      onDone(conversation.id);
    },
  });
  const remove = useMutation({
    mutationFn: (id: string) => api(pathOf(id), { method: "DELETE" }),
    onSuccess: async (_, id) => {
      onDone(id);
      queries.removeQueries({ queryKey: keyOf(id) });
      await queries.invalidateQueries({ queryKey: LIST });
    },
  });
  return { change, remove };
}
