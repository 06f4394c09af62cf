/** Owns the menu of the person signed in. */
import { Menu, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { useSession } from "@/shared/session";
import { KeysDialog } from "./KeysDialog";

export function AccountMenu({ onLogout }: { onLogout: () => Promise<void> }) {
  const { t } = useTranslation();
  const session = useSession();
  const [opened, keys] = useDisclosure(false);
  return (
    <>
      <Menu position="top-start" width={220} shadow="md">
        <Menu.Target>
          <UnstyledButton className="account" aria-label={t("account.menu", { name: session.username })}>
            <Icon name="user" /><span className="ellipsis">{session.username}</span>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t(`account.role.${session.role}`)}</Menu.Label>
          <Menu.Item leftSection={<Icon name="key" size={16} />} onClick={keys.open}>{t("account.keys")}</Menu.Item>
          <Menu.Item leftSection={<Icon name="logout" size={16} />} onClick={() => void onLogout()}>{t("account.logout")}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <KeysDialog opened={opened} onClose={keys.close} />
    </>
  );
}
