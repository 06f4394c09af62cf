/** Owns who is signed in, for the features that keep something per person. */
import { createContext, useContext } from "react";
import type { Session } from "./api/types";

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error("useSession outside of a signed-in page");
  return session;
}
