/** Owns what is on screen: waiting, the login form, or the tabs. */
import { Center, Loader } from "@mantine/core";
import { SessionContext } from "@/shared/session";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { useOneAudioAtATime } from "@/shared/components/AudioPlayer";
import { LoginPage } from "./LoginPage";
import { Shell } from "./Shell";
import { useAuth } from "./useAuth";

export function App() {
  const { session, login, logout, linkError } = useAuth();
  useOneAudioAtATime();
  if (session.isPending) return <Center h="100dvh"><Loader /></Center>;
  if (session.isError) {
    return <Center h="100dvh" p="md"><ErrorNotice error={session.error} onRetry={() => void session.refetch()} /></Center>;
  }
  if (!session.data) return <LoginPage onLogin={login} reason={linkError} />;
  return (
    <SessionContext value={session.data}>
      <Shell onLogout={logout} />
    </SessionContext>
  );
}
