/** Owns the foot of a form that asks for pictures: the model's own choices, folded away, beside what sends it. */
import { Collapse, Group, Select, SimpleGrid, Stack, Textarea, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { KeyboardEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Listing } from "@/shared/api/lists";
import { modelsFor, useModels } from "@/shared/api/models";
import type { Model } from "@/shared/api/types";
import { BuiltinBadge } from "@/shared/components/BuiltinBadge";
import { Icon } from "@/shared/components/Icon";
import { ListSelect } from "@/shared/components/ListSelect";
import { NumberField } from "@/shared/components/NumberField";
import { formatNumber } from "@/shared/format";
import { offered, withModel } from "./options";
import type { Drawing, Way } from "./orders";

const SIZES = ["64x64", "128x128", "256x256", "512x512", "768x768", "512x768", "768x512", "1024x1024"];
/** Fields of a row stay in line when one of them has a description. */
export const BELOW: ("label" | "input" | "description" | "error")[] = ["label", "input", "description", "error"];

/** Enter sends, Shift and Enter begin a line. */
export const onEnter = (send: () => void) => (event: KeyboardEvent) => {
  if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
  event.preventDefault();
  send();
};

interface Props {
  drawing: Drawing;
  way: Way;
  onChange: (drawing: Drawing) => void;
  /** The button that sends the form. */
  children: ReactNode;
}

export function Advanced({ drawing, way, onChange, children }: Props) {
  const { t } = useTranslation();
  const [opened, advanced] = useDisclosure(false);
  const list = useModels();
  const models = modelsFor(list.data, "image");
  const model = models.find((one) => one.id === drawing.model) ?? models[0];
  return (
    <>
      <Group justify="space-between" gap="sm">
        <Group gap="sm">
          <UnstyledButton className="text-button" onClick={advanced.toggle} aria-expanded={opened}><Icon name="settings" size={16} />{t("images.advanced")}</UnstyledButton>
          {model?.builtin && <BuiltinBadge />}
        </Group>
        {children}
      </Group>
      <Collapse expanded={opened}>
        <Fields drawing={drawing} way={way} onChange={onChange} list={list} models={models.map((one) => one.id)} model={model} />
      </Collapse>
    </>
  );
}

interface FieldsProps extends Omit<Props, "children"> {
  list: Listing<Model>;
  models: string[];
  model: Model | undefined;
}

function Fields({ drawing, way, onChange, list, models, model }: FieldsProps) {
  const { t, i18n } = useTranslation();
  const { steps, guidance, size, negative, decoders } = offered(model, drawing.guidance, way);
  const shown = (value: string | number) => (typeof value === "number" ? formatNumber(value, i18n.language, 2) : value);
  const automatic = (value: string | number | null) => (value === null ? t("common.automatic") : `${t("common.automatic")} (${shown(value)})`);
  const own = way === "draw" ? (size ? `${size} (${t("common.automatic")})` : t("common.automatic")) : t("images.sourceSize");
  return (
    <Stack gap="sm">
      {negative !== "no" && (
        <Textarea label={t("images.negative")} description={negative === "unheeded" ? t("images.unheeded") : undefined} autosize minRows={1} maxRows={4}
          disabled={negative === "unheeded"} value={drawing.negativePrompt} onChange={(event) => onChange({ ...drawing, negativePrompt: event.target.value })} />
      )}
      <SimpleGrid cols={{ base: 1, xs: 2, sm: 3 }} spacing="sm">
        <ListSelect from={list} count={models.length} service="image-gen" label={t("images.model")} allowDeselect={false} data={models} value={model?.id ?? null} onChange={(value) => onChange(withModel(drawing, value))} />
        <Select label={t("images.size")} allowDeselect={false} data={[{ value: "auto", label: own }, ...SIZES]} value={drawing.size} onChange={(value) => onChange({ ...drawing, size: value ?? drawing.size })} />
        <NumberField label={t("images.steps")} placeholder={automatic(steps.usual)} min={steps.minimum} max={steps.maximum} allowDecimal={false} value={drawing.steps}
          description={steps.good ? t("images.goodSteps", { from: steps.good[0], to: steps.good[1] }) : undefined} inputWrapperOrder={BELOW}
          onChange={(value) => onChange({ ...drawing, steps: value })} />
        <NumberField label={t("images.guidance")} placeholder={automatic(guidance.usual)} min={guidance.minimum} max={guidance.maximum} step={0.5} value={drawing.guidance}
          onChange={(value) => onChange({ ...drawing, guidance: value })} />
        <NumberField label={t("images.seed")} placeholder={t("images.random")} min={0} max={4294967295} allowDecimal={false} value={drawing.seed}
          onChange={(value) => onChange({ ...drawing, seed: value })} />
        {decoders.length > 1 && (
          <Select label={t("images.parameter.decoder")} clearable placeholder={automatic(t(`images.decoder.${decoders[0]}`))} value={drawing.decoder}
            data={decoders.map((value) => ({ value, label: t(`images.decoder.${value}`) }))} onChange={(value) => onChange({ ...drawing, decoder: value })} />
        )}
      </SimpleGrid>
    </Stack>
  );
}
