"use strict";
// The options of a command are not broken at their hyphens.
for (const code of document.querySelectorAll("code")) {
  if (!/^(twin |--\w)/.test(code.textContent)) continue;
  code.innerHTML = code.innerHTML.replace(/--[\w-]+/g, '<span class="option">$&</span>');
}
// A button beside each command that copies it.
for (const code of document.querySelectorAll(".repeat code, .copied")) {
  const button = document.createElement("button");
  const words = document.documentElement.dataset;
  button.type = "button";
  button.className = "copy screen";
  button.textContent = words.copy || "Copy";
  button.setAttribute("aria-label", `${button.textContent}: ${code.textContent}`);
  button.addEventListener("click", async () => {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = words.done || "Copied";
    } catch {  // a browser that does not let pages copy: the reader can, from what is now selected
      getSelection().selectAllChildren(code);
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  });
  code.after(" ", button);
}
