/** Elements from nested calls. Values are text, never markup. */

type Child = Node | string | number | null | undefined | false | Child[];
type Props = Record<string, unknown>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  put(node, props);
  append(node, children);
  return node;
}

/** The same for SVG. */
export function s(tag: string, props: Props = {}, ...children: Child[]): SVGElement {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  put(node, props);
  append(node, children);
  return node;
}

function put(node: Element, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") {
      node.addEventListener(name.slice(2), value as EventListener);
    } else if (name === "value" || name === "checked" || name === "htmlFor") {
      (node as unknown as Props)[name] = value;
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
}

function append(node: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : String(child));
  }
}

/** Replace what is inside; focus stays on the element of the same id. */
export function fill(node: Element, ...children: Child[]): void {
  const focused = document.activeElement?.id;
  const inside = focused && node.contains(document.activeElement);
  node.replaceChildren();
  append(node, children);
  if (inside) document.getElementById(focused)?.focus({ preventScroll: true });
}

let spoken: HTMLElement | null = null;

/** Tell screen readers. */
export function announce(text: string): void {
  if (!spoken) {
    spoken = h("div", { class: "sr-only", role: "status", "aria-live": "polite" });
    document.body.append(spoken);
  }
  spoken.textContent = text;
}

/** A short message that goes away by itself. */
export function toast(text: string, kind: "good" | "bad" = "good"): void {
  const region = document.getElementById("toasts");
  const one = h("div", { class: `toast ${kind}` }, text);
  region?.append(one);
  setTimeout(() => one.remove(), kind === "bad" ? 9000 : 4500);
}

/** Copy to the clipboard, also where the page is not a secure context. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "sr-only", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(`${what} copied`);
}
