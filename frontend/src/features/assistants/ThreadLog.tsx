/** Owns a thread's messages in order, with what each run did, and the end in sight unless the reader went up. */
import { Fragment, useLayoutEffect, useRef, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ActionForm } from "./ActionForm";
import { Markdown } from "@/shared/components/Markdown";
import { MessageBubble } from "./MessageBubble";
import { RunState } from "./RunState";
import { RunSteps } from "./RunSteps";
import type { ThreadRun } from "./useRun";
import { isActive, type ThreadMessage } from "./wire";

interface Props {
  threadId: string | null;
  messages: ThreadMessage[];
  run: ThreadRun;
  empty: ReactNode;
  /** Notices below the last message. */
  children: ReactNode;
}

const NEAR_END_PX = 80;

export function ThreadLog({ threadId, messages, run, empty, children }: Props) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useLayoutEffect(() => {
    if (following.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    following.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  };
  if (threadId === null || (messages.length === 0 && !run.busy)) return <div className="messages" data-empty>{empty}{children}</div>;
  // A message in the making stands in the list too; what streams in here is ahead of it.
  const shown = messages.filter((message) => message.content.length > 0 && !(message.status === "in_progress" && run.texts.has(message.id)));
  const known = new Set(shown.map((message) => message.id));
  const growing = [...run.texts].filter(([id]) => !known.has(id));
  const current = run.run;
  // The steps of a run stand before what it wrote.
  const firstOfRun = current ? shown.find((message) => message.role === "assistant" && message.run_id === current.id)?.id : undefined;
  const steps = current && <RunSteps run={current} watching={isActive(current)} />;
  return (
    <div className="messages" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-label={t("chat.messages")} aria-busy={run.busy}>
      <div className="messages-inner">
        {shown.map((message) => (
          <Fragment key={message.id}>
            {message.id === firstOfRun && steps}
            <MessageBubble message={message} />
          </Fragment>
        ))}
        {firstOfRun === undefined && steps}
        {growing.map(([id, text]) => <div key={id} className="bubble bot" data-role="assistant" data-pending="in_progress"><Markdown text={text} /></div>)}
        {current?.status === "requires_action" && current.required_action && (
          <ActionForm key={current.id + current.required_action.submit_tool_outputs.tool_calls.map((call) => call.id).join()}
            calls={current.required_action.submit_tool_outputs.tool_calls} onSubmit={run.submit} />
        )}
        {current && <RunState run={current} quiet={growing.length > 0} />}
        {children}
      </div>
    </div>
  );
}
