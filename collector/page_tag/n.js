// nextclick page tag, Apache-2.0: docs/page-tag.md
(() => {
  const calls = window.nextclick?.q || []
  if (window.nextclick?.live) return
  const script = document.currentScript || document.querySelector('script[src*="/n.js"]')
  const source = new URL(script.src)
  // Tag managers strip data- attributes: they may stand in the address instead.
  const option = name => source.searchParams.get(name) ?? script.getAttribute('data-' + name)

  const NAME = '_nextclick', BATCH = 25, UNSENT = 200
  const beat = 1000 * (option('heartbeat') || 15)
  const terms = (option('search') ?? 'q,query,s,search,search_term,search_query,keyword,keywords').split(',')

  let cookieless = option('cookieless') !== null
  // The visitor's answer: 0, or what is allowed by purpose; 1, as older versions kept it, is all of it.
  const byPurpose = said => said instanceof Object ? said : { analytics: true, personalization: true, advertising: true }
  const denied = said => /^(false|denied)$/.test(said)
  const answer = allowed(() => JSON.parse(localStorage[NAME + 'consent']))
  let refused = answer === 0
  let waiting = option('consent') !== null && !refused && !answer
  let purposes = answer ? byPurpose(answer) : undefined
  let queue = [], timer, failures = 0, user, signature
  const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const flying = new Set()
  let page, moving, searched
  let dwell = 0, counting, ticked, active, depth

  // Storage: nothing before consent, nothing without cookies

  function allowed(use) {
    try {
      return use()
    } catch { } // forbidden, full, or not there
  }

  const memory = {}
  const storing = () => !(cookieless || waiting || refused)

  function take(name) {
    return (storing() ? allowed(() => JSON.parse(localStorage[NAME + name])) : memory[name]) || []
  }

  function keep(name, values) {
    if (storing()) allowed(() => localStorage[NAME + name] = JSON.stringify(values))
    else memory[name] = values
  }

  function forget() {
    queue = []
    for (const name of ['retry', 'orders']) allowed(() => localStorage.removeItem(NAME + name))
    allowed(() => writeCookie(''))
  }

  const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), part => part.toString(36)).join('')
  const readCookie = () => document.cookie.match(/(?:^|; )_nextclick=(\w+)/)?.[1]

  // On the widest domain that is allowed; an empty value is removed from all.
  function writeCookie(value) {
    const labels = location.hostname.split('.')
    for (let i = labels.length - 2; i >= -1; i--) {
      document.cookie = `${NAME}=${value}; path=/; samesite=lax; max-age=${value ? 34128000 : 0}` + // 395 days
        (location.protocol === 'https:' ? '; secure' : '') + (labels[i] ? '; domain=' + labels.slice(i).join('.') : '')
      if (value && readCookie() === value) return value
    }
  }

  function visitor() {
    const id = cookieless ? undefined : allowed(() => readCookie() || writeCookie(newId()))
    cookieless ||= !id
    return id
  }

  // Sending: a batch that failed goes to storage; whoever takes it out sends it, with the same ids

  function emit(event, fields) {
    if (refused) return
    queue = queue.slice(1 - UNSENT)
    queue.push({ event, event_id: newId(), client_time: Date.now(), page_url: page, user_id: user, user_signature: signature, timezone, ...fields })
    queue.length < BATCH || failures ? later() : flush()
  }

  function later() {
    timer ||= setTimeout(flush, failures ? Math.min(3e5, 1000 * 2 ** failures) * (1 - Math.random() / 2) : 1000)
  }

  function flush(leaving) {
    clearTimeout(timer)
    timer = 0
    if (waiting || refused) return
    const id = visitor()
    for (const event of queue) {
      event.visitor_id ??= id
      event.consent ??= purposes
    }
    if (leaving !== true) {
      queue = take('retry').concat(queue)
      keep('retry', [])
    } else if (failures || !navigator.onLine) save(queue.splice(0))
    while (queue[0]) post(queue.splice(0, BATCH), leaving === true, failures + 1)
  }

  function save(events) {
    if (refused) return
    keep('retry', take('retry').concat(events).slice(-UNSENT))
    later()
  }

  function post(events, leaving, tries) {
    const to = new URL('v1/events', source).href
    const body = JSON.stringify({ key: option('key') || undefined, sent_at: Date.now(), cookieless, events })
    if (leaving) return navigator.sendBeacon(to, body) || save(events)
    flying.add(events)
    // A browser takes no more than 64 KB with keepalive.
    fetch(to, { method: 'POST', body, keepalive: body.length < 2e4, credentials: 'omit' }).then(reply => {
      if (reply.status > 499 || reply.status === 429) throw reply
      failures = 0 // after another 4xx too: it would be refused again
    }).catch(() => {
      failures = tries
      save(events)
    }).then(() => flying.delete(events))
  }

  // Pages, also those that scripts turn

  const address = () => option('hash') === null ? location.href.split('#')[0] : location.href

  function term(url) {
    const given = new URL(url).searchParams
    return terms.map(name => given.get(name)).find(Boolean)
  }

  function search(query, fields) {
    if (query && query !== searched) emit('search', { ...fields, query })
    searched = query
  }

  function arrive() {
    const referrer = page || document.referrer || undefined
    report()
    page = address()
    depth = 0
    emit('page_view', { referrer, title: document.title })
    search(term(page))
  }

  function settle() {
    clearTimeout(moving)
    moving = 0
    if (page !== address()) arrive()
  }

  // Routers set the title, and often the address once more, just after.
  function moved() {
    moving ||= setTimeout(settle, 50)
  }

  function track(event, fields) {
    settle()
    emit(event, fields)
  }

  // Attention: visible, and touched within half a minute

  function tick() {
    const now = performance.now()
    if (counting) dwell += Math.min(now - ticked, 5000) // longer: the machine slept
    ticked = now
    counting = !document.hidden && now - active < 3e4
    if (dwell >= beat) report()
  }

  function act({ type, target }) {
    if (type === 'timeupdate' && target.muted) return
    active = performance.now()
    if (!counting) tick()
  }

  function report() {
    if (dwell < 100) return
    emit('engagement', { dwell_ms: Math.round(dwell), scroll_pct: depth || undefined })
    dwell = 0
  }

  function scrolled() {
    settle()
    const before = depth
    const reached = Math.round(100 * (scrollY + innerHeight) / document.documentElement.scrollHeight)
    depth = Math.min(100, Math.max(depth, reached))
    const quarter = depth - depth % 25
    if (quarter > before) emit('scroll', { scroll_pct: quarter })
  }

  function media({ type, target }) {
    if (!target.play || type === 'pause' && target.ended) return
    const { currentSrc, currentTime: media_seconds, duration: media_duration } = target
    track(type, { media_url: currentSrc.match(/^http[^?#]*/)?.[0], media_seconds, media_duration, ...marks(target) })
  }

  // Marked elements: <button data-nextclick-click="add_to_cart" data-nextclick-item-id="A1">

  // The fields that an element and those around it carry; the nearest counts.
  function marks(element) {
    const found = {}
    for (let at = element; at; at = at.parentElement) {
      for (const { name, value } of at.attributes) {
        if (!name.startsWith('data-nextclick-')) continue
        const field = name.slice(15).replace(/-/g, '_')
        found[field === 'slot' ? 'surface' : field] ??= value
      }
    }
    return found
  }

  function clicked({ target }) {
    const element = target.closest?.('[data-nextclick-click], [data-nextclick-request-id] a')
    if (!element) return
    const { click, view, ...given } = marks(element)
    if (EACH.test(click)) track(click, given)
    else if (click !== undefined || given.item_id || given.banner) track('click', { target: click || undefined, href: element.href, ...given })
  }

  // Items and banners of an answer that were really shown: half of one for a second, each once

  const ANSWER = '[data-nextclick-request-id]', ITEM = ':is([data-nextclick-item-id], [data-nextclick-banner])'
  const watched = new WeakMap(), timers = new WeakMap(), shown = new Set()
  const watch = new IntersectionObserver(entries => {
    for (const { target, intersectionRatio } of entries) {
      clearTimeout(timers.get(target))
      if (intersectionRatio >= .5) show(target, 1)
    }
  }, { threshold: .5 })

  function show(element, again) {
    const { click, view, ...given } = marks(element), now = given.request_id + '#' + (given.banner || given.item_id)
    if (shown.has(now)) return
    if (again || document.hidden) return timers.set(element, setTimeout(show, 1000, element))
    shown.add(now)
    track('impression', given)
  }

  // Slots are filled by a script of their own, for pages that have some.
  function fill() {
    if (!option('api') || !document.querySelector('[data-nextclick-slot]')) return
    const who = denied(purposes?.personalization) ? {} : {
      visitor_id: window.nextclick.live && storing() ? visitor() : undefined, user_id: user, user_signature: signature
    }
    import(new URL('n-slots.js', source)).then(slots => slots.fill(option('api'), { key: option('api-key'), ...who }))
  }

  const seen = new WeakMap()
  let looking
  function look() {
    looking = 0
    fill()
    for (const element of document.querySelectorAll(`${ANSWER} ${ITEM}, ${ANSWER}${ITEM}`)) {
      const { request_id, item_id, banner } = marks(element), now = request_id + '#' + (banner || item_id)
      if (watched.get(element) === now) continue
      watched.set(element, now)
      watch.unobserve(element) // another item in its place is looked at anew
      watch.observe(element)
    }
    for (const element of document.querySelectorAll('[data-nextclick-view]')) {
      const { click, view, ...given } = marks(element), now = [view, given.item_id, given.order_id].join()
      if (seen.get(element) === now) continue
      seen.set(element, now)
      if (view !== 'purchase' || isNew(given.order_id + '#' + given.item_id)) track(view || 'view_item', given)
    }
  }

  // A thank-you page that is loaded again is no second order.
  function isNew(order) {
    const orders = take('orders')
    if (orders.includes(order)) return false
    keep('orders', orders.concat(order).slice(-50))
    return true
  }

  // Google's e-commerce events, old and new

  const KINDS = { view_item_list: 'impression', select_item: 'click', view_promotion: 'impression', select_promotion: 'click' }
  const EACH = /^(view_item|add_to_cart|remove_from_cart|purchase|refund|impression|click)$/
  const FIELDS = {
    item_name: 'name', item_category: 'category', item_list_id: 'list_id', item_list_name: 'surface', index: 'position',
    transaction_id: 'order_id'
  }
  const LEGACY = {
    impressions: 'view_item_list', click: 'select_item', detail: 'view_item', add: 'add_to_cart', remove: 'remove_from_cart',
    checkout: 'begin_checkout', purchase: 'purchase', refund: 'refund', promoView: 'view_promotion', promoClick: 'select_promotion'
  }

  function canonical(values) {
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [FIELDS[name] || name, value]))
  }

  // One event an item.
  function commerce(name, { items = [], ...rest }) {
    const kind = KINDS[name] || name, shared = canonical(rest), id = newId()
    if (kind === 'purchase') {
      if (shared.order_id && !isNew(shared.order_id)) return
    }
    if (/^(purchase|refund)$/.test(kind) && !items[0]) shared.price ??= shared.value
    const from0 = items.some(item => item.index === 0)
    const each = !items[0] ? [{}] : EACH.test(kind) ? items : [{ items }]
    each.map(canonical).forEach((item, i) => {
      const event = { ...shared, ...item, event_id: id + '#' + i }
      if (kind === 'impression') event.position = +event.position + from0 || i + 1
      if (/promotion/.test(name)) Object.assign(event, { list_id: event.promotion_id, surface: 'promotion' })
      track(kind, event)
    })
  }

  function legacy({ currencyCode: currency, ...actions }) {
    for (const action in LEGACY) {
      const what = actions[action]
      if (!what) continue
      const { id: order_id, list: surface, revenue: value, ...rest } = what.actionField || {}
      const items = (what.products || what.promotions || what).map(({ id, list, position, ...item }) => what.promotions
        ? { promotion_id: id, creative_slot: position, ...item }
        : { item_id: id, surface: list || surface, position, ...item })
      commerce(LEGACY[action], { currency, order_id, value, ...rest, items })
    }
  }

  function google(name, given) {
    const { search_term, query = search_term, ...rest } = given
    if (/^(view_)?search(_results)?$/.test(name)) {
      settle()
      search(query, rest)
    } else if (given.items || /^(purchase|refund)$/.test(name)) commerce(name, given)
  }

  function layer(pushed) {
    const { event, ecommerce } = pushed
    if (pushed[0] === 'event') google(pushed[1], pushed[2] || {})
    else if (ecommerce && Object.keys(LEGACY).some(action => ecommerce[action])) legacy(ecommerce)
    else google(event, ecommerce || pushed)
  }

  // Calls: nextclick('add_to_cart', {item_id: 'A1'})

  function consent(given) {
    const before = refused
    refused = !given || denied(given.analytics)
    purposes = refused ? undefined : byPurpose(given)
    waiting = false
    if (refused) forget()
    allowed(() => localStorage[NAME + 'consent'] = JSON.stringify(purposes || 0))
    if (refused) return
    if (before) anew()
    later()
  }

  function call(name, given = {}, traits) {
    if (name === 'consent') consent(given)
    else if (name === 'identify') {
      signature = traits?.user_signature
      track(name, { ...traits, user_id: user = given })
    } else if (given.items || /^(purchase|search)$/.test(name)) google(name, given)
    else track(name, given)
  }

  function anew() {
    page = ''
    active = performance.now()
    arrive()
  }

  function leave(last) {
    tick()
    settle()
    report()
    flush(last)
  }

  function on(types, react) {
    for (const type of types.split(' ')) addEventListener(type, react, { capture: true, passive: true })
  }

  function after(object, name, react) {
    const original = object[name]
    object[name] = function (...given) {
      const result = original.apply(this, given)
      given.forEach(react)
      return result
    }
  }

  function start() {
    allowed(() => searched = term(document.referrer))
    anew()
    tick()
    after(history, 'pushState', moved)
    after(history, 'replaceState', moved)
    on('popstate hashchange', moved)
    on('scroll', scrolled)
    on('scroll pointermove pointerdown keydown timeupdate', act)
    on('play pause ended', media)
    on('click', clicked)
    on('online', flush)
    on('visibilitychange', () => document.hidden ? leave(failures > 0) : act({}))
    on('pagehide', () => {
      leave(true)
      if (failures) flying.forEach(save)
    })
    on('pageshow', event => event.persisted && anew())
    setInterval(tick, 1000)

    window.nextclick = call
    call.live = true
    for (const given of calls) call(...given)

    const pushes = window[option('layer') || 'dataLayer'] ||= []
    const read = pushed => allowed(() => layer(pushed)) // whatever else lies in it is not ours
    Array.from(pushes).forEach(read)
    after(pushes, 'push', read)

    look()
    new MutationObserver(() => looking ||= setTimeout(look, 100)).observe(document, {
      subtree: true, childList: true, attributeFilter: ['view', 'item-id', 'request-id'].map(name => 'data-nextclick-' + name)
    })
  }

  if (navigator.globalPrivacyControl || [navigator.doNotTrack, window.doNotTrack].includes('1')) {
    forget()
    window.nextclick = () => { }
    on('load', fill)
    fill()
  } else if (document.prerendering) on('prerenderingchange', start)
  else start()
})()
