/** Owns the frame of a tab: its heading, its actions, its width. */
import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface Props {
  title: string;
  text?: string;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, text, actions, children }: Props) {
  return (
    <div className="page">
      <Group justify="space-between" align="flex-start" wrap="nowrap" mb="lg" gap="md">
        <div className="page-head">
          <Title order={1} fz={22}>{title}</Title>
          {text && <Text size="sm" c="dimmed" mt={2}>{text}</Text>}
        </div>
        {actions}
      </Group>
      {children}
    </div>
  );
}
