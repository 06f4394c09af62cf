/** Owns the personas of svc-chat as the page sees them. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "./client";
import { useList, type Listing } from "./lists";

export interface Persona {
  id: string;
  name: string;
  description?: string | null;
  instructions?: string | null;
}

export type PersonaDraft = Pick<Persona, "name" | "description" | "instructions">;

export function usePersonas(): Listing<Persona> {
  return useList<Persona>("personas", "/v1/personas");
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
