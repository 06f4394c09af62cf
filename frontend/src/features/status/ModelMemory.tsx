/** Owns who holds how much of the memory for models. */
import { Badge, Group, Progress, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { formatBytes } from "@/shared/format";
import { ServiceName } from "./ServiceName";
import { trainingOf, type Memory } from "./status";

export function ModelMemory({ memory }: { memory: Memory }) {
  const { t, i18n } = useTranslation();
  const size = (bytes: number) => formatBytes(bytes, i18n.language);
  const percent = memory.budget_bytes ? Math.min(100, (100 * memory.held_bytes) / memory.budget_bytes) : 0;
  const label = t("status.models");
  const modelName = (model: string) => {
    const id = trainingOf(model);
    return id === null ? model : `${t("jobs.kind.training")} ${id}`;
  };
  return (
    <section aria-label={label}>
      <Title order={2} fz={16} mt="xl" mb="sm">{label}</Title>
      <div className="card">
        <Text size="sm" mb={8}>{t("status.held", { held: size(memory.held_bytes), budget: size(memory.budget_bytes) })}</Text>
        <Progress value={percent} color={percent > 90 ? "red" : undefined} aria-label={label} />
        <div className="rows" style={{ marginTop: 12 }}>
          {memory.held.map((one) => (
            <Group key={`${one.service}/${one.model}`} className="row" wrap="nowrap" gap="sm" data-held={one.model}>
              <Badge variant="light" color={one.in_use ? "teal" : "gray"}>{t(one.in_use ? "status.inUse" : "status.idle")}</Badge>
              <Text size="sm" className="row-main wrap">{modelName(one.model)} <Text span c="dimmed"><ServiceName name={one.service} /></Text></Text>
              <Text size="sm">{size(one.bytes)}</Text>
            </Group>
          ))}
        </div>
      </div>
    </section>
  );
}
