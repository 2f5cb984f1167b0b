// Copy buttons for code, and one choice of language for all pages. The pages work without this script.

const status = document.createElement("p");
status.setAttribute("role", "status");
status.className = "hidden";
document.body.append(status);

if (navigator.clipboard) {
  for (const pre of document.querySelectorAll(".reference pre")) {
    const box = document.createElement("div");
    const button = document.createElement("button");
    box.className = "copyable";
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = status.textContent = "Copied";
      } catch {
        button.textContent = status.textContent = "Not copied";
      }
      setTimeout(() => { button.textContent = "Copy"; status.textContent = ""; }, 2000);
    });
    pre.replaceWith(box);
    box.append(pre, button);
  }
}

const languages = [...document.querySelectorAll(".tabs input")];
try {
  const saved = localStorage.getItem("language");
  for (const input of languages) {
    if (input.id === saved) input.checked = true;
    input.addEventListener("change", () => localStorage.setItem("language", input.id));
  }
} catch {
  // Storage is blocked: each page starts with the first language.
}
