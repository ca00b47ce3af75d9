// nextclick page tag, slots, Apache-2.0: docs/page-tag.md
const PATIENCE = 5000 // milliseconds; what comes later would push aside what is being read
const known = new WeakSet()

// Fill the slots of the page that are new from the API at `api`; `asked` is who asks, and with which key.
export function fill(api, asked) {
  for (const slot of document.querySelectorAll('[data-nextclick-slot]')) {
    const template = slot.querySelector('template:not([data-slot-banner])')
    if (!template || known.has(slot)) continue
    known.add(slot)
    slot.hidden = true
    answer(slot, api, asked).then(given => show(slot, template, given)).catch(() => { }) // it stays hidden
  }
}

async function answer(slot, api, asked) {
  const url = new URL(api.replace(/\/*$/, '/v1/personalize'), location.href)
  const { user_signature, ...who } = asked, fields = { ...who, surface: slot.dataset.nextclickSlot, feed: slot.dataset.slotN }
  for (const name in fields) if (fields[name]) url.searchParams.set(name, fields[name])
  const headers = user_signature ? { 'x-user-signature': user_signature } : {} // not in the address, which is logged on the way
  const patience = new AbortController()
  setTimeout(() => patience.abort(), PATIENCE)
  const reply = await fetch(url, { credentials: 'omit', headers, signal: patience.signal })
  if (!reply.ok) throw reply
  return reply.json()
}

function show(slot, template, { ranked_feed, personalized_banner: banner, ...given }) {
  for (const name of ['request_id', 'model_version', 'variant']) {
    if (given[name]) slot.setAttribute('data-nextclick-' + name.replace('_', '-'), given[name])
  }
  const place = slot.querySelector('template[data-slot-banner]')
  if (place && banner) slot.append(piece(place, { ...banner, banner: banner.id }))
  slot.append(...ranked_feed.map((item, i) => piece(template, { ...item, position: i + 1 })))
  slot.hidden = !ranked_feed.length
}

function piece(template, item) {
  const copy = document.importNode(template.content, true)
  for (const element of copy.querySelectorAll('*')) {
    for (const { name, value } of [...element.attributes]) {
      const [, what] = name.match(/^data-slot-(text|href|src|alt|title)$/) || []
      if (what) put(element, what, filled(value, item, what === 'href' || what === 'src'))
    }
  }
  for (const name of ['item_id', 'position', 'category', 'price', 'currency', 'banner']) {
    if (item[name]) copy.firstElementChild.setAttribute('data-nextclick-' + name.replace('_', '-'), item[name])
  }
  return copy
}

// `{name}` of the pattern as the item has it; nothing where it lacks one. Within an address it is one part of the path or query.
function filled(pattern, item, address) {
  const names = Array.from(pattern.matchAll(/{(\w+)}/g), found => found[1])
  if (names.some(name => item[name] === undefined || item[name] === null)) return
  const whole = !address || pattern === `{${names[0]}}`
  return pattern.replace(/{(\w+)}/g, (_, name) => whole ? item[name] : encodeURIComponent(item[name]))
}

// Text is text, and an address leads to a page: neither runs as a script.
function put(element, what, value) {
  if (value === undefined) return
  if (what === 'text') element.textContent = value
  else if (!/^(href|src)$/.test(what) || /^https?:$/.test(new URL(value, document.baseURI).protocol)) element.setAttribute(what, value)
}
