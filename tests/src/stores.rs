//! What every store of the ledger has to do, as claims that any of them can be held to. Must not know which store it is,
//! nor what an operation means.
//!
//! A claim gets a store that is empty and its own. [`each_store_claim`](crate::each_store_claim) makes a test of each.

#![allow(clippy::unwrap_used, reason = "a claim panics where the store does not do what it should")]

use giftcard_ledger::store::Store;

pub mod everything;
pub mod rows;

mod backup;
mod batches;
mod beside;
mod codes;
mod finding;
mod guards;
mod holds;
mod lists;
mod reports;
mod seals;

/// One thing that has to hold, tried on a fresh and empty store. Panics where it does not.
pub type Claim = fn(&dyn Store);

/// Calls a macro with the names of all claims, each with the module it is in: `module::claim;`.
#[macro_export]
macro_rules! each_store_claim {
    ($macro:ident) => {
        $macro! {
            finding::an_empty_store_has_nothing;
            finding::there_is_a_lane;
            finding::an_operation_is_found_as_it_was_written;
            finding::an_operation_without_what_may_be_missing_is_found_so;
            finding::every_kind_of_operation_reads_back;
            finding::an_account_is_found_as_it_was_written;
            finding::every_kind_state_and_counter_reads_back;
            finding::the_greatest_and_smallest_values_read_back;
            finding::texts_of_any_characters_read_back;
            finding::long_texts_read_back;
            finding::codes_are_found_by_any_of_their_lookups_in_the_wanted_order;
            finding::the_account_of_a_code_comes_along;
            finding::store_credit_is_found_by_site_customer_and_currency;
            finding::documents_are_found_with_their_versions;
            finding::everything_wanted_is_found_at_once;
            finding::a_refusal_is_found_even_when_it_is_over;
            finding::the_high_water_is_the_greatest_moment_of_any_operation;
            finding::a_read_never_sees_half_an_operation;
            guards::an_account_is_written_only_at_the_version_it_was_read_at;
            guards::a_new_account_must_not_be_there;
            guards::an_account_that_is_missing_cannot_change;
            guards::a_second_store_credit_of_a_customer_and_currency_conflicts;
            guards::every_field_of_an_account_can_change;
            guards::a_document_is_written_only_at_the_version_it_was_read_at;
            guards::a_deleted_document_is_gone_and_can_be_made_again;
            guards::a_checked_document_must_have_its_version_and_is_not_written;
            guards::an_account_that_was_only_read_must_have_its_version;
            guards::the_configuration_must_be_as_it_was_read;
            guards::the_configuration_moves_with_sites_programmes_and_plugins_only;
            guards::a_conflict_writes_nothing_at_all;
            guards::an_operation_is_done_once;
            guards::a_key_belongs_to_its_site;
            guards::a_repetition_is_told_before_a_conflict;
            guards::a_remembered_refusal_keeps_its_key;
            guards::a_refusal_that_is_over_is_forgotten_by_the_next_operation_of_its_key;
            guards::a_conflict_does_not_forget_a_refusal;
            guards::refusals_that_are_over_can_be_forgotten;
            guards::an_operation_that_is_no_ledgers_fails_and_leaves_the_store_working;
            codes::a_code_is_written_only_at_the_version_it_was_read_at;
            codes::the_store_counts_the_versions_of_a_code;
            codes::a_new_code_needs_a_free_id_and_a_free_lookup;
            codes::a_lookup_moves_only_to_where_no_other_code_is;
            codes::two_new_codes_of_one_operation_cannot_share_a_lookup;
            codes::codes_can_change_without_an_operation;
            codes::a_pool_lists_its_codes_of_a_state_page_by_page;
            codes::a_pool_counts_its_codes_by_state;
            codes::an_account_has_the_codes_that_were_drawn_for_it;
            codes::key_versions_count_the_codes_that_may_yet_be_presented;
            batches::an_empty_batch_is_nothing;
            batches::later_operations_build_on_earlier_ones;
            batches::a_conflict_takes_along_only_what_builds_on_it;
            batches::what_builds_on_a_conflict_is_one_although_its_versions_fit;
            batches::what_builds_on_a_repetition_is_a_conflict;
            batches::the_same_key_twice_in_a_batch_is_done_once;
            batches::a_refusal_and_an_operation_of_one_key_exclude_each_other_in_a_batch;
            batches::documents_and_codes_of_earlier_operations_are_seen_by_later_ones;
            batches::the_configuration_moves_between_the_operations_of_a_batch;
            batches::a_conflict_over_a_new_code_leaves_the_rest_of_the_batch;
            batches::a_large_batch_is_written_in_order;
            batches::an_operation_may_touch_many_accounts;
            batches::of_many_threads_one_wins_each_version;
            batches::threads_that_take_the_same_accounts_in_another_order_all_get_through;
            batches::one_key_from_many_threads_is_done_once;
            holds::holds_pass_at_their_end;
            holds::closed_holds_are_gone_and_missing_ones_passed_over;
            holds::a_hold_can_be_on_several_accounts_and_an_account_in_several_holds;
            holds::the_next_end_leaves_out_what_it_is_told_to;
            holds::passed_holds_of_all_accounts_come_soonest_first;
            lists::decisions_are_listed_by_site_and_time_with_what_is_not_erased;
            lists::accounts_are_filtered_by_every_field;
            lists::conditions_on_accounts_are_joined;
            lists::accounts_come_page_by_page;
            lists::a_history_comes_page_by_page_with_its_operations;
            lists::a_long_history_is_read_from_any_place_in_it;
            lists::an_account_can_have_two_entries_of_one_operation;
            lists::operations_come_in_their_order_with_all_legs;
            lists::operations_are_found_under_their_keys;
            lists::documents_come_page_by_page_of_one_kind_and_site;
            reports::liabilities_are_summed_by_site_kind_programme_currency_and_state;
            reports::liabilities_are_exact_beyond_one_integer;
            reports::turnover_sums_the_entries_of_accounts_over_a_half_open_period;
            reports::turnover_is_exact_beyond_one_integer;
            reports::counters_and_accounts_sum_to_nothing;
            reports::counter_sums_are_exact_beyond_one_integer;
            seals::heads_are_unsealed_until_they_are_sealed;
            seals::a_head_that_changes_is_unsealed_again;
            seals::what_changed_while_a_checkpoint_was_made_stays_unsealed;
            seals::heads_that_a_checkpoint_leaves_out_stay_unsealed;
            seals::a_number_is_sealed_once;
            seals::checkpoints_read_back_in_order_with_their_heads;
            beside::personal_fields_are_read_back_until_they_are_erased;
            beside::erasing_takes_the_customers_document_and_requests_only;
            beside::a_context_is_kept_once;
            beside::a_component_is_kept_and_mended;
            beside::a_note_is_replaced;
            backup::a_backup_holds_everything_and_goes_on;
            backup::a_backup_does_not_replace_a_file;
            backup::a_backup_is_of_one_moment_while_others_write;
        }
    };
}

macro_rules! table {
    ($($module:ident::$claim:ident;)*) => {
        /// All claims by name.
        #[must_use]
        pub fn conformance() -> Vec<(&'static str, Claim)> {
            vec![$((stringify!($claim), $module::$claim as Claim)),*]
        }
    };
}

each_store_claim!(table);

/// The claim of this name.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn claim(name: &str) -> Claim {
    let found = conformance().into_iter().find(|(claim, _)| *claim == name);
    found.unwrap_or_else(|| panic!("no claim is called {name}")).1
}
