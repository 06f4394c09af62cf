/** Owns a field of a number: what is being written stays as it is written, and only a number, or none, is handed on. */
import { NumberInput, type NumberInputProps } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { decimalMark } from "../format";

interface Props extends Omit<NumberInputProps, "value" | "onChange" | "decimalSeparator"> {
  value: number | null;
  onChange: (value: number | null) => void;
}

export function NumberField({ value, onChange, ...props }: Props) {
  const { i18n } = useTranslation();
  const [written, setWritten] = useState<string | number | bigint>("");
  // "0." is on the way to 0.5 and is the number 0 until then. A number that came from elsewhere stands in its stead.
  const shown = numberOf(written) === value ? written : (value ?? "");
  return (
    <NumberInput {...props} decimalSeparator={decimalMark(i18n.language)} value={shown}
      onChange={(next) => { setWritten(next); onChange(numberOf(next)); }} />
  );
}

export function numberOf(written: string | number | bigint): number | null {
  const number = Number(written);
  return written === "" || Number.isNaN(number) ? null : number;
}
