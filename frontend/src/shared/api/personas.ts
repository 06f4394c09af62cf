/** Owns the personas of svc-chat as the page sees them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "./client";
import type { List } from "./types";

export interface Persona {
  id: string;
  name: string;
  description?: string | null;
  instructions?: string | null;
}

export type PersonaDraft = Pick<Persona, "name" | "description" | "instructions">;

export function usePersonas() {
  return useQuery({ queryKey: ["personas"], queryFn: async () => (await api<List<Persona>>("/v1/personas")).data ?? [] });
}

export function usePersonaChanges() {
  const queries = useQueryClient();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["personas"] });
  const create = useMutation({ mutationFn: (draft: PersonaDraft) => api<Persona>("/v1/personas", { method: "POST", json: draft }), onSuccess });
  const remove = useMutation({ mutationFn: (id: string) => api(`/v1/personas/${id}`, { method: "DELETE" }), onSuccess });
  const importAll = useMutation({
    mutationFn: async (file: File) => api("/v1/personas/import", { method: "POST", json: JSON.parse(await file.text()) as unknown }),
    onSuccess,
  });
  return { create, remove, importAll };
}
