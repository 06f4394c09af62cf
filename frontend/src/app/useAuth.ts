/** Owns signing in: an existing session, a one-time link, a user name and password, a provider. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, SIGNED_OUT } from "@/shared/api/client";
import { ApiError } from "@/shared/api/errors";
import type { LoginMethods, Session } from "@/shared/api/types";

const KEY = ["session"];

/** Take the one-time token out of the address, so that it stays neither on screen nor in the history. */
function takeLinkToken(): string | null {
  const found = /^#\/?(?:token=)([^&]+)/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", `${location.pathname}#/chat`);
  return decodeURIComponent(found[1]!);
}

// Read once: React may run an effect or a query twice, the token works only once.
let linkToken = takeLinkToken();

/** Why a login through the provider failed: the gateway comes back to the page with the reason in the address. */
function takeLoginError(): ApiError | null {
  const found = /^#\/?login_error=([a-z_]{1,40})$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", `${location.pathname}#/chat`);
  return new ApiError("", found[1]!, 401);
}

/** Why the one-time link or the provider did not work; the login form shows it. */
let linkError: unknown = takeLoginError();

async function fetchSession(): Promise<Session | null> {
  if (linkToken) {
    const token = linkToken;
    linkToken = null;
    await api("/auth/link", { method: "POST", json: { token } }).catch((error: unknown) => {
      if (!(error instanceof ApiError) || error.transient) throw error;
      linkError = new ApiError(error.message, "link_used", error.status);
    });
  }
  try {
    return await api<Session>("/auth/me");
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** The ways of signing in that the gateway knows beside the one-time link. */
export function useLoginMethods() {
  return useQuery({ queryKey: ["login-methods"], queryFn: () => api<LoginMethods>("/auth/methods"), staleTime: Infinity }).data;
}

export function useAuth() {
  const queries = useQueryClient();
  const session = useQuery({ queryKey: KEY, queryFn: fetchSession, staleTime: Infinity });
  useEffect(() => {
    const forget = () => queries.setQueryData(KEY, null);
    window.addEventListener(SIGNED_OUT, forget);
    return () => window.removeEventListener(SIGNED_OUT, forget);
  }, [queries]);
  const login = async (username: string, password: string) => {
    await api("/auth/login", { method: "POST", json: { username, password } });
    await queries.invalidateQueries();
  };
  const logout = async () => {
    await api("/auth/logout", { method: "POST" });
    queries.clear();
    queries.setQueryData(KEY, null);
    location.reload();
  };
  return { session, login, logout, linkError };
}
