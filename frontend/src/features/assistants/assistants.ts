/** Owns the assistants, threads, messages and files of svc-chat as the page sees them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import type { Assistant, ListPage, Run, RunStep, StoredFile, Thread, ThreadMessage, Tool, ToolResources } from "./wire";

export interface AssistantDraft {
  name: string;
  description: string;
  instructions: string;
  model: string;
  tools: Tool[];
  tool_resources?: ToolResources;
}

const MOST = 100;
const POLL_MS = 1000;

export function useAssistants() {
  return useQuery({
    queryKey: ["assistants"],
    queryFn: async () => (await api<ListPage<Assistant>>(`/v1/assistants?limit=${MOST}`)).data,
  });
}

export function useAssistantChanges() {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["assistants"] });
  const save = useMutation({
    mutationFn: ({ id, draft }: { id: string | null; draft: AssistantDraft }) =>
      api<Assistant>(id ? `/v1/assistants/${id}` : "/v1/assistants", { method: "POST", json: draft }),
    onSuccess,
  });
  const remove = useMutation({ mutationFn: (id: string) => api(`/v1/assistants/${id}`, { method: "DELETE" }), onSuccess });
  return { save, remove };
}

/** Threads of an assistant: the page notes the assistant in a thread's metadata. */
export function useThreads(assistantId: string | null) {
  const queries = useQueryClient();
  const list = useQuery({
    queryKey: ["threads"],
    queryFn: async () => (await api<ListPage<Thread>>(`/v1/threads?limit=${MOST}`)).data,
    enabled: assistantId !== null,
    select: (threads) => threads.filter((thread) => thread.metadata?.assistant_id === assistantId),
  });
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["threads"] });
  const create = useMutation({
    mutationFn: (title: string) =>
      api<Thread>("/v1/threads", { method: "POST", json: { metadata: { assistant_id: assistantId, title: title.slice(0, 80) } } }),
    onSuccess,
  });
  const remove = useMutation({ mutationFn: (id: string) => api(`/v1/threads/${id}`, { method: "DELETE" }), onSuccess });
  return { list, create, remove };
}

/** The messages of a thread; asked every second while `watching`: an answer may grow that nobody streams here. */
export function useMessages(threadId: string | null, watching: boolean) {
  return useQuery({
    queryKey: ["thread-messages", threadId],
    queryFn: async () => (await api<ListPage<ThreadMessage>>(`/v1/threads/${threadId}/messages?order=asc&limit=${MOST}`)).data,
    enabled: threadId !== null,
    refetchInterval: watching ? POLL_MS : false,
  });
}

/** The newest runs of a thread; asked every second while `watching`. */
export function useRuns(threadId: string | null, watching: boolean) {
  return useQuery({
    queryKey: ["thread-runs", threadId],
    queryFn: async () => (await api<ListPage<Run>>(`/v1/threads/${threadId}/runs?limit=20`)).data,
    enabled: threadId !== null,
    refetchInterval: watching ? POLL_MS : false,
  });
}

export function useSteps(run: Run | null, watching: boolean) {
  return useQuery({
    queryKey: ["run-steps", run?.id],
    queryFn: async () => (await api<ListPage<RunStep>>(`/v1/threads/${run!.thread_id}/runs/${run!.id}/steps?order=asc&limit=${MOST}`)).data,
    enabled: run !== null,
    refetchInterval: watching ? POLL_MS : false,
  });
}

export function sendFile(file: File): Promise<StoredFile> {
  const form = new FormData();
  form.append("purpose", "assistants");
  form.append("file", file, file.name);
  return api<StoredFile>("/v1/files", { method: "POST", form });
}

export function useFile(id: string) {
  return useQuery({ queryKey: ["file", id], queryFn: () => api<StoredFile>(`/v1/files/${encodeURIComponent(id)}`), staleTime: Infinity, retry: false });
}

/** Put files into a new vector store and return its id; the service indexes them meanwhile. */
export async function makeStore(name: string, fileIds: string[]): Promise<string> {
  return (await api<{ id: string }>("/v1/vector_stores", { method: "POST", json: { name: name.slice(0, 80), file_ids: fileIds } })).id;
}
