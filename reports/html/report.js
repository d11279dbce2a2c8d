// What moves in the report: which run is shown, calls that tell their story, a command that can be
// copied. The page holds everything already; this file only listens. panels.js draws.
"use strict";
(() => {
  const runs = JSON.parse(byId("data").textContent).map((data) => new Panels(data));

  // Colors are the page's: they change with it.
  for (const query of ["(prefers-color-scheme: dark)", "print"]) {
    matchMedia(query).addEventListener("change", () => runs.forEach((run) => run.redraw()));
  }

  // --- which run is shown ------------------------------------------------------------------------

  function show() {
    const target = byId(location.hash.slice(1));
    const current = target ? target.closest(".run") : null;
    if (runs.length > 1) {
      document.body.classList.add("several");
      for (const run of document.querySelectorAll(".run")) {
        run.classList.toggle("current", run === current);
      }
      if (target) target.scrollIntoView();
    }
    const group = target ? target.closest(".calls") : null;
    if (group) {
      showCalls(group);
      target.focus();
    }
    // Whoever waits for the first words should not wait for the drawings.
    requestAnimationFrame(() => setTimeout(() => {
      for (const run of runs) {
        if (runs.length === 1 || run.root.closest(".run") === current) run.build();
      }
      document.documentElement.dataset.drawn = "yes";
    }));
  }
  for (const link of document.querySelectorAll("a[data-phase]")) {
    link.addEventListener("click", () => {
      const run = runs.find(({ data }) => link.hash === `#${data.id}-panels`);
      run.light(Number(link.dataset.phase));
    });
  }

  // --- the command -------------------------------------------------------------------------------

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = byId(button.dataset.copies);
      const says = button.parentElement.querySelector(".copied");
      try {
        await navigator.clipboard.writeText(code.textContent);
        says.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        says.textContent = "Selected: copy it with your keyboard";
      }
    });
  }

  // --- sampled calls -----------------------------------------------------------------------------

  function tellStory(row) {
    if (row.querySelector(".story")) return;
    const story = document.createElement("ol");
    story.className = "story";
    for (const title of row.querySelectorAll("title")) {
      story.appendChild(document.createElement("li")).textContent = title.textContent;
    }
    row.append(story);
  }

  for (const list of document.querySelectorAll(".rows ol")) {
    const rows = [...list.children];
    list.addEventListener("focusin", (event) => {
      for (const story of list.querySelectorAll(".story")) {
        if (story.parentElement !== event.target) story.remove();
      }
      if (!rows.includes(event.target)) return;
      for (const row of rows) row.tabIndex = row === event.target ? 0 : -1;
      tellStory(event.target);
    });
    list.addEventListener("keydown", (event) => {
      const at = rows.indexOf(event.target);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      rows[limit(to, 0, rows.length - 1)].focus();
    });
  }

  // Shows one group of calls and hides its neighbours.
  function showCalls(group) {
    const section = group.parentElement;
    for (const other of section.querySelectorAll(".calls")) other.hidden = other !== group;
    for (const button of section.querySelectorAll(".filter button")) {
      button.setAttribute("aria-pressed", button.dataset.kind === group.dataset.kind);
    }
  }

  for (const filter of document.querySelectorAll(".filter")) {
    const groups = [...filter.parentElement.querySelectorAll(".calls")];
    filter.querySelectorAll("button").forEach((button, i) =>
      button.addEventListener("click", () => showCalls(groups[i])));
    if (groups.length) showCalls(groups[0]);
  }

  addEventListener("hashchange", show);
  show();
})();
