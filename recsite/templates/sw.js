// Keeps one page for when the network is gone. Nothing else is cached here: the browser's own cache does that.
const CACHE = "offline-1";
const OFFLINE = "{% url "offline" %}";
const FILES = [OFFLINE{% for file in files %}, "{{ file|escapejs }}"{% endfor %}];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (names) => names.filter((name) => name !== CACHE).map((name) => caches.delete(name));
  event.waitUntil(caches.keys().then((names) => Promise.all(old(names))));
});

self.addEventListener("fetch", (event) => {
  const wantsPage = event.request.mode === "navigate";
  const isKept = FILES.includes(new URL(event.request.url).pathname);
  if (wantsPage || isKept) {
    const kept = wantsPage ? OFFLINE : event.request;
    event.respondWith(fetch(event.request).catch(() => caches.match(kept)));
  }
});
