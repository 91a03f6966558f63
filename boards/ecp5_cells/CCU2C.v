// Two bits of a carry chain. Each is a look-up table whose output, "propagate", inverts the carry
// for the sum and decides whether the carry goes on; else the table's low four entries, of A and B
// alone, are the carry out. INJECT1 takes the carry from the sum and the entries from the carry.
module CCU2C (
    input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
    output S0, S1, COUT
);
    parameter [15:0] INIT0 = 16'h0000;
    parameter [15:0] INIT1 = 16'h0000;
    parameter INJECT1_0 = "YES";
    parameter INJECT1_1 = "YES";

    wire low = INIT0[{D0, C0, B0, A0}];
    wire high = INIT1[{D1, C1, B1, A1}];
    wire carry = low ? CIN : INJECT1_0 != "YES" && INIT0[{2'b00, B0, A0}];
    assign S0 = low ^ (INJECT1_0 != "YES" && CIN);
    assign S1 = high ^ (INJECT1_1 != "YES" && carry);
    assign COUT = high ? carry : INJECT1_1 != "YES" && INIT1[{2'b00, B1, A1}];
endmodule
