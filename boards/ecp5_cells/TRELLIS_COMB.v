// What nextpnr makes of all combinational logic and of memory in look-up tables: half a slice.
// MODE says what the table is: logic, a bit of a carry chain (see CCU2C), or sixteen bits that are
// written at WCK; nextpnr reads them with address bits 0 to 3 at D, B, C, A, and INITVAL is in the
// table's order. RAMW_BLOCK is a table that the write port (TRELLIS_RAMW) leaves without a use.
module TRELLIS_COMB (
    input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output F, FCO, OFX
);
    parameter MODE = "LOGIC";
    parameter [15:0] INITVAL = 16'h0000;
    parameter CCU2_INJECT1 = "NO";
    parameter WREMUX = "WRE";
    parameter WCKMUX = "WCK";
    parameter IS_Z1 = 1'b0;

    generate
        if (MODE == "LOGIC") begin : logic_table
            assign F = INITVAL[{D, C, B, A}];
            assign FCO = 1'b0;
        end else if (MODE == "CCU2") begin : carry_chain
            wire propagate = INITVAL[{D, C, B, A}];
            wire generates = CCU2_INJECT1 != "YES" && INITVAL[{2'b00, B, A}];
            assign F = propagate ^ (CCU2_INJECT1 != "YES" && FCI);
            assign FCO = propagate ? FCI : generates;
        end else if (MODE == "DPRAM") begin : memory
            reg [15:0] bits;
            initial bits = INITVAL;
            wire clock = WCKMUX == "INV" ? ~WCK : WCK;
            wire write = WREMUX == "INV" ? ~WRE : WREMUX == "0" ? 1'b0 : WREMUX == "1" ? 1'b1 : WRE;
            always @(posedge clock) if (write) bits[{WAD0, WAD2, WAD1, WAD3}] <= WD;
            assign F = bits[{D, C, B, A}];
            assign FCO = 1'b0;
        end else if (MODE == "RAMW_BLOCK") begin : unused
            assign F = 1'b0;
            assign FCO = 1'b0;
        end else begin : refused
            TRELLIS_COMB_of_this_MODE_has_no_model stop ();
        end
    endgenerate

    // The multiplexer beside the table: with the table next to it, or with those of other slices.
    assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule
