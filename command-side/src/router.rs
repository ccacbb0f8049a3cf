//! Every route of the command side.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::commands::{CommandDeps, Commands};
use crate::http::method_not_allowed;
use crate::openapi;
use crate::routes::{orders, payments, products, returns, shipments, stock, users};

/// The most bytes of a body.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The command side with executors of its own. Whoever puts the service together adds the fallback
/// ([`crate::route_not_found`]) and the telemetry layer (`observability::http::layer`).
pub fn router(deps: CommandDeps) -> Router {
    router_of(Commands::new(deps))
}

/// The command side over executors that others use too.
pub fn router_of(commands: Commands) -> Router {
    let (router, document) = commands_router().split_for_parts();
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(commands)
        .merge(SwaggerUi::new("/docs").url("/openapi.json", openapi::complete(document)))
}

pub(crate) fn commands_router() -> OpenApiRouter<Commands> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(products::list::list_product))
        .routes(routes!(products::get::get_product))
        .routes(routes!(products::details::change_product_details))
        .routes(routes!(products::price::change_product_price))
        .routes(routes!(products::delist::delist_product))
        .routes(routes!(products::relist::relist_product))
        .routes(routes!(stock::get::get_stock))
        .routes(routes!(stock::receive::receive_stock))
        .routes(routes!(stock::adjust::adjust_stock))
        .routes(routes!(stock::reserve::reserve_stock))
        .routes(routes!(stock::release::release_stock))
        .routes(routes!(stock::ship::ship_stock))
        .routes(routes!(users::register::register_user))
        .routes(routes!(users::get::get_user))
        .routes(routes!(users::profile::change_user_profile))
        .routes(routes!(users::deactivate::deactivate_user))
        .routes(routes!(orders::place::place_order))
        .routes(routes!(orders::get::get_order))
        .routes(routes!(orders::mark_reserved::mark_order_reserved))
        .routes(routes!(orders::mark_paid::mark_order_paid))
        .routes(routes!(orders::mark_shipped::mark_order_shipped))
        .routes(routes!(orders::mark_delivered::mark_order_delivered))
        .routes(routes!(orders::cancel::cancel_order))
        .routes(routes!(payments::request::request_payment))
        .routes(routes!(payments::get::get_payment))
        .routes(routes!(payments::authorize::authorize_payment))
        .routes(routes!(payments::capture::capture_payment))
        .routes(routes!(payments::decline::decline_payment))
        .routes(routes!(payments::refund::refund_payment))
        .routes(routes!(shipments::request::request_shipment))
        .routes(routes!(shipments::get::get_shipment))
        .routes(routes!(shipments::dispatch::dispatch_shipment))
        .routes(routes!(shipments::deliver::deliver_shipment))
        .routes(routes!(shipments::fail::fail_shipment))
        .routes(routes!(returns::receive::receive_return))
        .routes(routes!(returns::get::get_return))
        .routes(routes!(returns::restock::restock_return))
        .routes(routes!(returns::refund::refund_return))
}
