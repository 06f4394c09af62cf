/** Owns having the servers tell a picture aloud. */
import { Button, Group, Select, Stack } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { DescribeSteps } from "@/shared/components/DescribeSteps";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { languageName } from "@/shared/format";
import type { Source } from "@/shared/source";
import { SPEECH_TARGETS, type useDescribe } from "@/shared/describe";
import type { Choosing } from "./choosing";
import { ModelPicker } from "./ModelPicker";

interface Props {
  source: Source;
  describe: ReturnType<typeof useDescribe>;
  choosing: Choosing;
}

export function DescribePanel({ source, describe, choosing }: Props) {
  const { t, i18n } = useTranslation();
  const [target, setTarget] = useState("pt");
  const run = () => void describe.run(source, target, { captionModel: choosing.chosen("caption") });
  return (
    <Stack gap="md">
      <ModelPicker task="caption" choosing={choosing} />
      <Group align="flex-end" gap="sm">
        <Select flex="1 1 150px" maw={220} label={t("vision.target")} allowDeselect={false} value={target} onChange={(value) => setTarget(value ?? "pt")}
          data={SPEECH_TARGETS.map((code) => ({ value: code, label: languageName(code, i18n.language) }))} />
        <Button onClick={run} loading={describe.busy} leftSection={<Icon name="sparkle" />}>{t("vision.describe")}</Button>
      </Group>
      {describe.error !== null && <ErrorNotice error={describe.error} onRetry={run} />}
      {describe.steps && <DescribeSteps steps={describe.steps} />}
    </Stack>
  );
}
