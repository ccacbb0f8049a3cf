//! Every route of the command side.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::commands::{CommandDeps, Commands};
use crate::contexts::{Context, Contexts};
use crate::http::method_not_allowed;
use crate::openapi;
use crate::routes::{orders, payments, products, returns, shipments, stock, users};

/// The most bytes of a body.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The command side with executors of its own. Whoever puts the service together adds the fallback
/// ([`crate::route_not_found`]) and the telemetry layer (`observability::http::layer`).
pub fn router(deps: CommandDeps) -> Router {
    router_of(Commands::new(deps), &Contexts::all())
}

/// The routes of some contexts over executors that others use too. The other addresses are not there.
pub fn router_of(commands: Commands, contexts: &Contexts) -> Router {
    let (router, document) = commands_router(contexts).split_for_parts();
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(commands)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi::complete(document)))
}

pub(crate) fn commands_router(contexts: &Contexts) -> OpenApiRouter<Commands> {
    let routers = contexts.iter().map(context_router);
    routers.fold(OpenApiRouter::with_openapi(openapi::head(contexts)), OpenApiRouter::merge)
}

fn context_router(context: Context) -> OpenApiRouter<Commands> {
    let router = OpenApiRouter::new();
    match context {
        Context::Products => router
            .routes(routes!(products::list::list_product))
            .routes(routes!(products::get::get_product))
            .routes(routes!(products::details::change_product_details))
            .routes(routes!(products::price::change_product_price))
            .routes(routes!(products::delist::delist_product))
            .routes(routes!(products::relist::relist_product)),
        Context::Stock => router
            .routes(routes!(stock::get::get_stock))
            .routes(routes!(stock::receive::receive_stock))
            .routes(routes!(stock::adjust::adjust_stock))
            .routes(routes!(stock::reserve::reserve_stock))
            .routes(routes!(stock::release::release_stock))
            .routes(routes!(stock::ship::ship_stock)),
        Context::Users => router
            .routes(routes!(users::register::register_user))
            .routes(routes!(users::get::get_user))
            .routes(routes!(users::profile::change_user_profile))
            .routes(routes!(users::deactivate::deactivate_user)),
        Context::Orders => router
            .routes(routes!(orders::place::place_order))
            .routes(routes!(orders::get::get_order))
            .routes(routes!(orders::mark_reserved::mark_order_reserved))
            .routes(routes!(orders::mark_paid::mark_order_paid))
            .routes(routes!(orders::mark_shipped::mark_order_shipped))
            .routes(routes!(orders::mark_delivered::mark_order_delivered))
            .routes(routes!(orders::cancel::cancel_order)),
        Context::Payments => router
            .routes(routes!(payments::request::request_payment))
            .routes(routes!(payments::get::get_payment))
            .routes(routes!(payments::authorize::authorize_payment))
            .routes(routes!(payments::capture::capture_payment))
            .routes(routes!(payments::decline::decline_payment))
            .routes(routes!(payments::refund::refund_payment)),
        Context::Shipments => router
            .routes(routes!(shipments::request::request_shipment))
            .routes(routes!(shipments::get::get_shipment))
            .routes(routes!(shipments::dispatch::dispatch_shipment))
            .routes(routes!(shipments::deliver::deliver_shipment))
            .routes(routes!(shipments::fail::fail_shipment)),
        Context::Returns => router
            .routes(routes!(returns::receive::receive_return))
            .routes(routes!(returns::get::get_return))
            .routes(routes!(returns::restock::restock_return))
            .routes(routes!(returns::refund::refund_return)),
    }
}
