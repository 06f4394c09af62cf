/** Owns the trainings as the server keeps them: the list, beginning one, changing one, and the models that came of them. */
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/shared/api/client";
import { hasEnded, type Checkpoint, type Job, type Rows } from "./wire";

const LIST = ["trainings"];
const BUSY_MS = 3_000;
const pathOf = (id: string) => `/v1/fine_tuning/jobs/${encodeURIComponent(id)}`;

export interface Order {
  model: string;
  suffix: string;
  /** null leaves the choice to the server. */
  epochs: number | null;
  batch: number | null;
  rate: number | null;
}

/** Newest first; asked for again while one is not over and the tab is looked at. */
export function useTrainings(active: boolean) {
  return useInfiniteQuery({
    queryKey: LIST,
    queryFn: ({ pageParam }) => api<Rows<Job>>(`/v1/fine_tuning/jobs?limit=20${pageParam && `&after=${encodeURIComponent(pageParam)}`}`),
    initialPageParam: "",
    getNextPageParam: (page) => (page.has_more ? (page.data.at(-1)?.id ?? null) : null),
    refetchInterval: ({ state }) => (active && state.data?.pages.some((page) => page.data.some((job) => !hasEnded(job))) ? BUSY_MS : false),
  });
}

/** One training that may stand further down the list than what was read of it. */
export function useTraining(id: string | null) {
  return useQuery({ queryKey: ["training", id], queryFn: () => api<Job>(pathOf(id!)), enabled: id !== null });
}

export function useCheckpoints(id: string) {
  return useQuery({ queryKey: ["training-checkpoints", id], queryFn: async () => (await api<Rows<Checkpoint>>(`${pathOf(id)}/checkpoints`)).data });
}

export function useRefresh(): () => void {
  const queries = useQueryClient();
  return () => { for (const key of [LIST, ["training"], ["training-checkpoints"], ["models"]]) void queries.invalidateQueries({ queryKey: key }); };
}

export function useTrainingChanges() {
  const onSettled = useRefresh();
  const begin = useMutation({ mutationFn: ({ order, file }: { order: Order; file: File }) => beginTraining(order, file), onSettled });
  const act = useMutation({
    mutationFn: ({ id, what }: { id: string; what: "cancel" | "pause" | "resume" }) => api<Job>(`${pathOf(id)}/${what}`, { method: "POST" }),
    onSettled,
  });
  const removeModel = useMutation({ mutationFn: (id: string) => api(`/v1/models/${encodeURI(id)}`, { method: "DELETE" }), onSettled });
  return { begin, act, removeModel };
}

/** Send the file and queue a training of it; a file whose training was refused does not stay behind. */
async function beginTraining({ model, suffix, epochs, batch, rate }: Order, file: File): Promise<Job> {
  const form = new FormData();
  form.append("purpose", "fine-tune");
  form.append("file", file, file.name);
  const { id } = await api<{ id: string }>("/v1/files", { method: "POST", form });
  const hyperparameters = { n_epochs: epochs ?? "auto", batch_size: batch ?? "auto", learning_rate_multiplier: rate ?? "auto" };
  try {
    const json = { model, training_file: id, suffix: suffix || undefined, method: { type: "supervised", supervised: { hyperparameters } } };
    return await api<Job>("/v1/fine_tuning/jobs", { method: "POST", json });
  } catch (error) {
    await api(`/v1/files/${id}`, { method: "DELETE" }).catch(() => undefined);
    throw error;
  }
}
