//! When service tokens were last let in.

use uuid::Uuid;
use vestibule::model::ids::ServiceTokenId;

use crate::support::database::on_both;

on_both! {
    async fn a_use_is_written_down_and_never_moves_backwards(database) {
        let store = database.store().await;
        let (one, other) = (ServiceTokenId(Uuid::from_u128(1)), ServiceTokenId(Uuid::from_u128(2)));
        assert!(store.service_token_uses().await.unwrap().is_empty());
        store.touch_service_tokens(&[(other, 7), (one, 5)]).await.unwrap();
        store.touch_service_tokens(&[(one, 9), (other, 3)]).await.unwrap();
        let uses = store.service_token_uses().await.unwrap();
        assert_eq!((uses[&one], uses[&other], uses.len()), (9, 7, 2));
        // Neither is a token of this store.
        store.forget_service_token_uses().await.unwrap();
        assert!(store.service_token_uses().await.unwrap().is_empty());
    }
}
