/** Owns the first sight of a tab with nothing in it yet: what it is for and what to try. */
import { Stack, Text, UnstyledButton } from "@mantine/core";
import { Icon, type IconName } from "./Icon";

interface Props {
  icon: IconName;
  title: string;
  text?: string;
  examples?: string[];
  onExample?: (example: string) => void;
}

export function EmptyState({ icon, title, text, examples, onExample }: Props) {
  return (
    <Stack align="center" gap={6} className="empty">
      <span className="empty-icon"><Icon name={icon} size={26} /></span>
      <Text fw={600} ta="center">{title}</Text>
      {text && <Text size="sm" c="dimmed" ta="center" maw={460}>{text}</Text>}
      {examples && (
        <div className="examples">
          {examples.map((example) => (
            <UnstyledButton key={example} className="example" onClick={() => onExample?.(example)}>{example}</UnstyledButton>
          ))}
        </div>
      )}
    </Stack>
  );
}
