// Segment's, RudderStack's, Jitsu's and Snowplow's libraries for node, unchanged: `node trackers.js ADDRESS`. Prints what failed as JSON.
"use strict";

const { Analytics } = require("@segment/analytics-node");
const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
const { jitsuAnalytics } = require("@jitsu/js");
const snowplow = require("@snowplow/node-tracker");

const address = process.argv[2];
const failed = [];
const SHOP = "iglu:com.snowplowanalytics.snowplow.ecommerce";
const products = [
  { product_id: "i1", name: "Mug", category: "home", price: 7.5, quantity: 2 },
  { product_id: "i2", price: 5.5, quantity: 1 },
];

async function segment() {
  const analytics = new Analytics({ writeKey: "key", host: address, flushAt: 4 });
  analytics.on("error", (error) => failed.push(String(error.reason || error)));
  const who = { anonymousId: "node" };
  analytics.page({ ...who, name: "Home", properties: { url: "https://shop.example/", title: "Ünder" } });
  analytics.screen({ ...who, name: "Start" });
  analytics.track({ ...who, event: "Product Viewed", properties: products[0], messageId: "own" });
  analytics.track({ ...who, event: "Products Searched", properties: { query: "mug" } });
  analytics.track({ ...who, event: "Order Completed", properties: { order_id: "o1", currency: "EUR", products } });
  analytics.track({ ...who, event: "Mug Dropped", timestamp: new Date("2025-05-01T00:00:00Z") });
  analytics.identify({ ...who, userId: "ann", traits: { plan: "pro" } });
  analytics.group({ ...who, groupId: "g1" });
  analytics.alias({ previousId: "ann-before", userId: "ann" });
  await analytics.flush({ close: true });
}

async function rudder() {
  const analytics = new RudderAnalytics("key", { dataPlaneUrl: address, flushAt: 3, gzip: true });
  const who = { anonymousId: "rudder-node" };
  analytics.track({ ...who, event: "Product Viewed", properties: products[0] });
  analytics.identify({ ...who, userId: "ann", traits: { plan: "pro" } });
  analytics.track({ ...who, event: "Order Completed", properties: { order_id: "o1", currency: "EUR", products } });
  await analytics.flush();
}

async function jitsu() {
  const say = (message) => failed.push(message);
  const analytics = jitsuAnalytics({ host: address, writeKey: "shop:secret", errorPolicy: say, s2s: true });
  await analytics.setAnonymousId("jitsu-node");
  await analytics.track("Product Viewed", products[0]);
  await analytics.identify("ann", { plan: "pro" });
  await analytics.track("Order Completed", { order_id: "o1", currency: "EUR", products });
}

async function track(eventMethod, encodeBase64) {
  const onRequestFailure = (failure) => failed.push(failure.message);
  const tracker = snowplow.newTracker(
    { namespace: "shop", appId: "shop", encodeBase64 },
    { endpoint: address, eventMethod, onRequestFailure },
  );
  tracker.setDomainUserId(`node-${eventMethod}-${encodeBase64}`);
  tracker.setUserId("ann");
  const entity = (name, data) => ({ schema: `${SHOP}/${name}/jsonschema/1-0-0`, data });
  const items = products.map(({ product_id, name, price, quantity }) =>
    entity("product", { id: product_id, name, category: "home", price, quantity, currency: "EUR" }),
  );
  const act = (type, entities) =>
    tracker.track(
      snowplow.buildSelfDescribingEvent({
        event: { schema: `${SHOP}/snowplow_ecommerce_action/jsonschema/1-0-2`, data: { type, name: "new" } },
      }),
      entities,
    );
  tracker.track(snowplow.buildPageView({ pageUrl: "https://shop.example/", pageTitle: "Ünder" }));
  tracker.track(snowplow.buildPagePing({ pageUrl: "https://shop.example/", maxYOffset: 300 }));
  tracker.track(snowplow.buildStructEvent({ category: "video", action: "like" }));
  tracker.track(snowplow.buildSiteSearch({ terms: ["blue", "mug"] }));
  tracker.track(snowplow.buildAddToCart({ sku: "i1", quantity: 2, unitPrice: 7.5, currency: "EUR" }));
  tracker.track(snowplow.buildEcommerceTransactionItem({ orderId: "o0", sku: "i3", price: 1.5, quantity: 3 }));
  act("list_view", items);
  act("transaction", [...items, entity("transaction", { transaction_id: "o1", revenue: 20.5, currency: "EUR" })]);
  await tracker.flush();
}

(async () => {
  await segment();
  await rudder();
  await jitsu();
  for (const method of ["post", "get"]) for (const packed of [true, false]) await track(method, packed);
  console.log(JSON.stringify(failed));
})();
