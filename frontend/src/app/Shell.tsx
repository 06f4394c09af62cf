/** Owns the frame around the tabs: side navigation when wide, a drawer when narrow. */
import { ActionIcon, Center, Drawer, Loader } from "@mantine/core";
import { useDisclosure, useMediaQuery } from "@mantine/hooks";
import { Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { AccountMenu } from "@/features/account/AccountMenu";
import { Icon } from "@/shared/components/Icon";
import { Crash } from "./Crash";
import { Preferences } from "./Preferences";
import { TAB_PAGES, TABS, useTab, type TabName } from "./tabs";

export function Shell({ onLogout }: { onLogout: () => Promise<void> }) {
  const { t } = useTranslation();
  const tab = useTab();
  const wide = useMediaQuery("(min-width: 62em)", true, { getInitialValueInEffect: false });
  const [opened, drawer] = useDisclosure(false);
  useEffect(() => { document.title = `${t(`tabs.${tab}`)} · Oficina`; }, [t, tab]);
  const side = (
    <>
      <Navigation tab={tab} onChoose={drawer.close} />
      <div className="side-foot"><AccountMenu onLogout={onLogout} /><Preferences /></div>
    </>
  );
  return (
    <div className="shell" data-wide={wide || undefined}>
      <a className="skip-link" href="#main" onClick={focusMain}>{t("shell.skip")}</a>
      {wide ? (
        <header className="side"><Brand />{side}</header>
      ) : (
        <header className="topbar">
          <ActionIcon variant="subtle" color="gray" size="lg" onClick={drawer.open} aria-label={t("shell.menu")} aria-expanded={opened}>
            <Icon name="menu" size={22} />
          </ActionIcon>
          <span className="topbar-title">{t(`tabs.${tab}`)}</span>
          <img src="/icon.svg" alt="" width={26} height={26} />
        </header>
      )}
      {!wide && (
        <Drawer opened={opened} onClose={drawer.close} size={270} title={<Brand />} padding="md"
          closeButtonProps={{ "aria-label": t("common.close") }} classNames={{ body: "drawer-body" }}>{side}</Drawer>
      )}
      <main id="main" tabIndex={-1}><Tabs tab={tab} /></main>
    </div>
  );
}

function focusMain(event: { preventDefault: () => void }) {
  // The hash names the tab, so the jump is made by hand.
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Brand() {
  return <a className="brand" href="#/chat"><img src="/icon.svg" alt="" width={28} height={28} />Oficina</a>;
}

function Navigation({ tab, onChoose }: { tab: TabName; onChoose: () => void }) {
  const { t } = useTranslation();
  return (
    <nav aria-label={t("shell.navigation")} className="nav">
      {TABS.map((name) => (
        <a key={name} href={`#/${name}`} className="nav-link" aria-current={name === tab ? "page" : undefined} onClick={onChoose}>
          <Icon name={name} />{t(`tabs.${name}`)}
        </a>
      ))}
    </nav>
  );
}

/** A tab is made when first opened and then only hidden: streams and half-written forms survive. */
function Tabs({ tab }: { tab: TabName }) {
  const [seen, setSeen] = useState<TabName[]>([tab]);
  if (!seen.includes(tab)) setSeen([...seen, tab]);
  return seen.map((name) => {
    const TabPage = TAB_PAGES[name];
    return (
      <section key={name} hidden={name !== tab} className="tab" data-tab={name}>
        <Crash>
          <Suspense fallback={<Center h="60vh"><Loader /></Center>}><TabPage active={name === tab} /></Suspense>
        </Crash>
      </section>
    );
  });
}
