/** Owns choosing the model of one way of looking; not there while there is nothing to choose. */
import { Select } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { modelsDoing, type Choosing, type VisionTask } from "./choosing";

export function ModelPicker({ task, choosing }: { task: VisionTask; choosing: Choosing }) {
  const { t } = useTranslation();
  const names = modelsDoing(choosing.models, task).map((model) => model.id);
  if (names.length < 2) return null;
  return (
    <Select maw={360} label={t(`vision.modelFor.${task}`)} placeholder={`${t("common.automatic")} (${names[0]})`} clearable data={names}
      value={choosing.chosen(task)} onChange={(id) => choosing.choose(task, id)} />
  );
}
