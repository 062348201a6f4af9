/** Dialogs: say exactly what will change and ask; take a key. */

import { h } from "./dom";

/** A modal question; true when the named deed is confirmed. */
export function confirmed(title: string, lines: (string | HTMLElement)[], deed: string, danger = false): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "dialog-title" }, title),
        h("ul", { class: "changes" }, lines.map((line) => h("li", {}, line))),
        h(
          "div",
          { class: "buttons" },
          h("button", { value: "no", autofocus: true }, "Cancel"),
          h("button", { value: "yes", class: danger ? "danger" : "primary", id: "dialog-confirm" }, deed),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Ask for an API key; null when the person changed their mind. */
export function askForKey(why: string): Promise<string | null> {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", id: "key-input", autocomplete: "off", spellcheck: "false" });
    const dialog = h(
      "dialog",
      { class: "dialog", "aria-labelledby": "key-title" },
      h(
        "form",
        { method: "dialog" },
        h("h2", { id: "key-title" }, "API key"),
        h("p", {}, why),
        h("label", { for: "key-input" }, h("span", {}, "Key"), input),
        h("p", { class: "note" }, "It stays in this tab's memory: not in the page's address, not on disk. Reloading forgets it."),
        h(
          "div",
          { class: "buttons" },
          h("button", { value: "no", formnovalidate: true }, "Cancel"),
          h("button", { value: "yes", class: "primary" }, "Use this key"),
        ),
      ),
    );
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "yes" ? input.value : null;
      input.value = "";
      dialog.remove();
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
