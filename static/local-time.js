// Shows times in the visitor's own time zone and language. It does nothing else.
for (const element of document.querySelectorAll("time[datetime]")) {
  const time = new Date(element.dateTime);
  element.textContent = time.toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
}
