// What htmx does not do: one token for every tab, ratings shown at once, the keyboard in a rating pad, notices, theme.
// Every page works without it.
(() => {
  const root = document.documentElement;
  const notice = () => document.getElementById("notice");

  const cookie = (name) => document.cookie.split("; ").find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    // htmx forgets which button was pressed when a request has to wait for another.
    const button = detail.triggeringEvent?.submitter;
    if (button?.name) detail.parameters[button.name] = button.value;
    if (detail.verb === "get") return leaveOutWhatIsNotChosen(detail.parameters);
    const token = cookie("csrftoken");
    if (!token) return;
    delete detail.parameters.csrfmiddlewaretoken;
    detail.headers["X-CSRFToken"] = token;
  });

  // The address of a filter set is made to be shared.
  function leaveOutWhatIsNotChosen(parameters) {
    for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
  }

  // Signing in or out in another tab changes the token; the cookie always holds the present one.
  // A second click on the button of a form that leaves the page would send it twice.
  let sent = null;
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const token = cookie("csrftoken");
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (token && form.elements.csrfmiddlewaretoken) form.elements.csrfmiddlewaretoken.value = token;
    if (sent?.form === form && event.timeStamp - sent.at < 2000) event.preventDefault();
    else sent = { form, at: event.timeStamp };
  }, true);

  // Ratings and lists -----------------------------------------------------------------------------------------

  const control = (card) => card?.querySelector("summary, .pad button[tabindex='0']");
  const press = (button, isPressed) => button.setAttribute("aria-pressed", String(isPressed));

  function showScore(anime, score) {
    for (const rate of document.querySelectorAll(`[data-rate="${anime}"]`)) {
      // "Remove" is hidden where there is no rating.
      const losesFocus = score == null && document.activeElement === rate.querySelector(".clear");
      const label = rate.querySelector("[data-rate-label]");
      label.textContent = score ?? label.dataset.empty;
      rate.toggleAttribute("data-rated", score != null);
      rate.querySelectorAll("button[value]:not(.clear)").forEach((b) => press(b, Number(b.value) === score));
      setTabStop(rate);
      if (losesFocus) control(rate).focus({ preventScroll: true });
    }
  }

  function showStatus(anime, status) {
    for (const button of document.querySelectorAll(`[data-status="${anime}"] button[data-value]`)) {
      const isPressed = button.dataset.value === status;
      press(button, isPressed);
      button.value = isPressed ? "" : button.dataset.value;
    }
    for (const label of document.querySelectorAll(`[data-status="${anime}"] [data-status-label]`)) {
      const chosen = label.closest("details").querySelector('[aria-pressed="true"]');
      label.textContent = chosen?.textContent ?? label.dataset.empty;
    }
  }

  function show(news) {
    if ("score" in news) showScore(news.anime, news.score);
    if ("status" in news) showStatus(news.anime, news.status);
  }

  const before = new WeakMap(); // request -> how to show what was there when it began

  document.addEventListener("htmx:beforeSend", ({ target: form, detail }) => {
    const button = detail.requestConfig.triggeringEvent?.submitter;
    const rate = form.closest("[data-rate]");
    if (button?.name === "score" && rate) {
      const label = rate.querySelector("[data-rate-label]").textContent;
      before.set(detail.xhr, { anime: Number(rate.dataset.rate), score: Number(label) || null });
      showScore(rate.dataset.rate, Number(button.value) || null);
      if (rate.open) close(rate);
    } else if (button?.name === "status" && form.dataset.status) {
      const pressed = form.querySelector('[aria-pressed="true"]');
      before.set(detail.xhr, { anime: Number(form.dataset.status), status: pressed?.dataset.value ?? "" });
      showStatus(form.dataset.status, button.value);
      if (form.closest("details[open]")) close(form.closest("details"));
    }
  });

  const putBack = ({ detail }) => before.has(detail.xhr) && show(before.get(detail.xhr));
  document.addEventListener("htmx:responseError", putBack);
  document.addEventListener("htmx:sendError", putBack);
  document.addEventListener("ratings-changed", ({ detail }) => show(detail));

  // A rating pad is one stop of the tab key; arrows move in it, and a digit rates at once (0 is 10).

  function setTabStop(rate, wanted) {
    const buttons = [...rate.querySelectorAll(".pad button")];
    const stop = wanted ?? buttons.find((b) => b.getAttribute("aria-pressed") === "true") ?? buttons[0];
    buttons.forEach((button) => (button.tabIndex = button === stop ? 0 : -1));
  }

  function close(details) {
    const hadFocus = details.contains(document.activeElement);
    details.open = false;
    if (hadFocus) details.querySelector("summary").focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (event) => {
    const unfolded = event.target.closest?.("details[open]");
    if (event.key === "Escape" && unfolded) return close(unfolded);
    const rate = event.target.closest?.("[data-rate]");
    if (!rate || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = [...rate.querySelectorAll(".pad button")].filter((b) => b.offsetParent);
    const at = buttons.indexOf(event.target);
    if (/^[0-9]$/.test(event.key) && (at >= 0 || rate.open)) {
      rate.querySelector(`.pad button[value="${event.key === "0" ? 10 : event.key}"]`).click();
    } else if (at >= 0) {
      const row = Number(getComputedStyle(rate).getPropertyValue("--pad-columns")) || 10;
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key];
      const to = { Home: 0, End: buttons.length - 1 }[event.key] ?? (step ? at + step : null);
      if (to === null) return;
      const next = buttons[Math.min(Math.max(to, 0), buttons.length - 1)];
      setTabStop(rate, next);
      next.focus();
    } else return;
    event.preventDefault();
  });

  // Opening a pad takes the focus into it; a click elsewhere closes it.
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.(".rate.folded") && target.open) {
      setTabStop(target);
      target.querySelector('.pad button[tabindex="0"]').focus({ preventScroll: true });
    }
  }, true);
  document.addEventListener("click", ({ target }) => {
    for (const open of document.querySelectorAll(".rate.folded[open], .menu[open]")) {
      if (!open.contains(target)) open.open = false;
    }
  });

  // Swaps -----------------------------------------------------------------------------------------------------

  // The page stays where it is scrolled to, except that who uses the keyboard has to see what has the focus.
  function moveFocus(element) {
    element.focus({ preventScroll: true });
    const { top, bottom } = element.getBoundingClientRect();
    // Below, a notice or the phone's menu may lie over the page.
    const covered = parseFloat(getComputedStyle(root).scrollPaddingBottom);
    const isHidden = top < 0 || bottom > innerHeight - covered;
    if (isHidden && element.matches(":focus-visible")) element.scrollIntoView({ block: "nearest" });
  }

  // Presses in quick succession wait for each other, and htmx forgets one whose form is replaced while it waits. So a
  // list stays as it is while anything that was pressed in it is on its way, and is fetched again after the last.
  const onTheWay = new Map(); // form -> how many of its requests are not answered
  let isStale = false;
  document.addEventListener("submit", ({ target: form }) => {
    if (form.closest("[data-keeps-place]")) onTheWay.set(form, (onTheWay.get(form) ?? 0) + 1);
  });
  const isWaiting = () => [...onTheWay.keys()].some((form) => form.isConnected);
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const form = detail.requestConfig.elt;
    const waiting = onTheWay.get(form);
    if (waiting > 1) onTheWay.set(form, waiting - 1);
    else onTheWay.delete(form);
    // A list is fetched again after each change; after one that failed it has to be asked to.
    if (waiting && isStale && !detail.successful && !isWaiting()) htmx.trigger("[data-keeps-place]", "list-stale");
  });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (!detail.target?.matches?.("[data-keeps-place]")) return;
    isStale = detail.requestConfig.elt === detail.target && isWaiting();
    if (isStale) detail.shouldSwap = false;
  });

  // A list that is fetched again keeps the focus on the card that had it or, where that card left, on the card that
  // took its place. A card that "Undo" brought back gets the focus.
  let kept = null;
  let broughtBack = null;
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    if (!target?.matches?.("[data-keeps-place]")) return;
    const active = target.contains(document.activeElement) ? document.activeElement : null;
    const cards = [...target.querySelectorAll("[data-card]")];
    kept = {
      hadFocus: Boolean(active),
      at: cards.findIndex((card) => card.contains(active)),
      card: active?.closest("[data-card]")?.dataset.card,
      value: active?.dataset.value,
      open: target.querySelector(".rate[open]")?.dataset.rate,
    };
  });
  document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
    if (!kept || !target?.matches?.("[data-keeps-place]")) return;
    const cards = [...target.querySelectorAll("[data-card]")];
    const find = (id) => cards.find((card) => card.dataset.card === id);
    const returned = find(broughtBack);
    const same = find(kept.card);
    if (returned || kept.hadFocus) {
      // Where the focus was in no card, as on a link below them, `at` is -1: the last card.
      const card = returned ?? same ?? cards.at(Math.min(kept.at, cards.length - 1));
      const button = card === same && kept.value && same.querySelector(`[data-value="${kept.value}"]`);
      moveFocus(button || control(card) || target.querySelector("[tabindex]"));
    }
    const rate = find(kept.open)?.querySelector(".rate");
    if (rate) rate.open = true;
    kept = broughtBack = null;
  });
  document.addEventListener("htmx:load", ({ detail }) => {
    detail.elt.querySelectorAll?.(".rate:not(.folded)").forEach((rate) => setTabStop(rate));
  });

  // Notices ---------------------------------------------------------------------------------------------------

  const SECONDS = 12;
  let left = 0;
  setInterval(() => {
    const shown = notice()?.firstElementChild;
    if (!shown || shown.matches(":hover, :focus-within")) left = SECONDS;
    else if (--left <= 0) shown.remove();
  }, 1000);
  document.addEventListener("htmx:oobAfterSwap", ({ detail }) => detail.target?.id === "notice" && (left = SECONDS));
  document.addEventListener("click", ({ target }) => {
    const shown = target.closest("[data-close-notice]")?.closest(".notice");
    if (!shown) return;
    leaveNotice();
    shown.remove();
  });

  // A notice that goes while it has the focus gives it to the anime that it was about, or back to where it was.
  let outside = null;
  document.addEventListener("focusin", ({ target }) => {
    if (!notice().contains(target)) outside = target;
  });
  function leaveNotice(anime) {
    if (!notice().contains(document.activeElement)) return;
    const places = `[data-card="${anime}"], [data-rate="${anime}"], [data-status="${anime}"]`;
    const last = outside?.isConnected ? outside : document.getElementById("content");
    moveFocus(last.closest(places) ? last : control(document.querySelector(places)) ?? last);
  }
  document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => detail.target?.id === "notice" && leaveNotice());
  document.addEventListener("ratings-changed", ({ detail: { anime } }) => {
    broughtBack = notice().contains(document.activeElement) ? String(anime) : null;
    leaveNotice(anime);
  });

  function complain(text) {
    const box = document.createElement("div");
    box.className = "notice error";
    box.append(Object.assign(document.createElement("p"), { textContent: text }));
    leaveNotice();
    notice().replaceChildren(box);
    left = SECONDS;
  }
  document.addEventListener("htmx:sendError", () => complain(notice().dataset.unreachable));
  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (detail.xhr.status !== 400) complain(notice().dataset.failed);
  });

  // Theme -----------------------------------------------------------------------------------------------------

  const toggle = document.querySelector("[data-theme-toggle]");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  if (toggle) {
    press(toggle, isDark());
    system.addEventListener("change", () => press(toggle, isDark()));
    toggle.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      root.dataset.theme = theme;
      document.querySelector('meta[name="color-scheme"]').content = theme;
      const secure = location.protocol === "https:" ? "; secure" : "";
      document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax${secure}`;
      press(toggle, theme === "dark");
    });
  }

  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
})();
